"""A second schema in a database of the tests; at MariaDB, where a schema is a database, a second database."""

from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa

from ledger_pipelines_tests.support import servers

POSTGRESQL_NAME = "Sales v2.0"
"""A name that must be quoted, with a dot."""


@contextmanager
def second_schema(engine: sa.Engine) -> Iterator[str]:
    """Create an empty schema and yield its name."""
    if engine.dialect.name == "postgresql":
        with engine.begin() as connection:
            connection.execute(sa.schema.CreateSchema(POSTGRESQL_NAME))
        try:
            yield POSTGRESQL_NAME
        finally:
            with engine.begin() as connection:
                connection.execute(sa.schema.DropSchema(POSTGRESQL_NAME, cascade=True))
    else:
        with servers.fresh_database(engine.url) as url:
            yield str(url.database)
