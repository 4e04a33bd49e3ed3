"""Upgrades of the warehouse's schema: Alembic, called by the project's commands instead of an alembic.ini."""

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import sqlalchemy as sa
from psycopg import errors
from sqlalchemy.dialects.postgresql import insert

from ledger_pipelines.errors import LedgerError
from ledger_pipelines.warehouse.merge import qualified_name
from ledger_pipelines.warehouse.tables import SCHEMAS, metadata, write_locks

if TYPE_CHECKING:
    from alembic.config import Config

MINIMUM_SERVER_VERSION = 15
_MIGRATIONS = str(Path(__file__).parent / "migrations")
_VERSIONS = sa.Table(
    "alembic_version",
    sa.MetaData(schema="ops"),
    sa.Column("version_num", sa.String(32), nullable=False),
    sa.PrimaryKeyConstraint("version_num", name="alembic_version_pkc"),
)
#: Errors because another process is creating the object: IF NOT EXISTS does not see uncommitted objects.
_CREATED_CONCURRENTLY = (errors.UniqueViolation, errors.DuplicateTable, errors.DuplicateObject)


class WarehouseError(LedgerError):
    """The warehouse cannot be used; the message says why and what to do."""

    retryable = True


def alembic_config(connection: sa.Connection) -> "Config":
    """Return Alembic's configuration for the migrations, to run on ``connection``."""
    # Alembic is imported where it is used: every process imports this module, but few change the schema.
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", _MIGRATIONS)
    config.attributes["connection"] = connection
    return config


def upgrade(engine: sa.Engine) -> str:
    """Upgrade the schema to the newest version and return that version.

    Safe to call at every start, and from several processes simultaneously.

    Raises:
        WarehouseError: the server is older than PostgreSQL 15, or its schema is newer than this program or too old.
    """
    with engine.connect() as connection:
        _check_server(connection)
        _create_version_table(connection)
        # Excludes other upgrades until this transaction ends. Only a role that may write the table can take the lock.
        connection.execute(sa.text(f"LOCK TABLE {_VERSIONS} IN SHARE UPDATE EXCLUSIVE MODE"))
        return _upgrade(connection)


def is_current(connection: sa.Connection) -> bool:
    """Return whether the schema has the newest version that this program supports."""
    if connection.scalar(sa.select(sa.func.to_regclass("ops.alembic_version"))) is None:
        return False
    return connection.scalars(sa.select(_VERSIONS.c.version_num)).all() == [newest_version()]


@cache
def newest_version() -> str:
    """Return the newest version that this program supports."""
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", _MIGRATIONS)
    return ScriptDirectory.from_config(config).get_current_head() or ""


def _upgrade(connection: sa.Connection) -> str:
    from alembic import command
    from alembic.migration import MigrationContext
    from alembic.script import ScriptDirectory

    for schema in SCHEMAS:
        connection.execute(sa.schema.CreateSchema(schema, if_not_exists=True))
    config = alembic_config(connection)
    script = ScriptDirectory.from_config(config)
    known = {revision.revision for revision in script.walk_revisions()}
    current = MigrationContext.configure(connection, opts={"version_table_schema": "ops"}).get_current_revision()
    if current is not None and current < min(known):
        raise WarehouseError(
            f"The warehouse's schema has version {current}, from before the first release, and cannot be upgraded. "
            "Back it up, let LEDGER_WAREHOUSE_URL name an empty database, and load all months. The sources do not have "
            "the stock of earlier months, tokens, the audit log, and the partners and thresholds that were set."
        )
    if current is not None and current not in known:
        raise WarehouseError(
            f"The warehouse's schema has version {current}, which this program does not support: it was created by "
            "a newer one. Install that version, or restore the warehouse's backup."
        )
    command.upgrade(config, "head")
    lock_rows = [{"table_name": qualified_name(table)} for table in metadata.sorted_tables]
    connection.execute(insert(write_locks).values(lock_rows).on_conflict_do_nothing())
    connection.commit()
    return script.get_current_head() or ""


def _create_version_table(connection: sa.Connection) -> None:
    """Create Alembic's version table as Alembic would: it is locked before Alembic starts."""
    while True:
        try:
            connection.execute(sa.schema.CreateSchema("ops", if_not_exists=True))
            connection.execute(sa.schema.CreateTable(_VERSIONS, if_not_exists=True))
            connection.commit()
        except sa.exc.DBAPIError as error:
            if not isinstance(error.orig, _CREATED_CONCURRENTLY):
                raise
            connection.rollback()
        else:
            return


def _check_server(connection: sa.Connection) -> None:
    version = connection.dialect.server_version_info or (0,)
    if int(version[0]) < MINIMUM_SERVER_VERSION:
        found = ".".join(str(part) for part in version)
        raise WarehouseError(
            f"The warehouse is PostgreSQL {found}; {MINIMUM_SERVER_VERSION} or newer is needed. "
            "Upgrade the server, or point LEDGER_WAREHOUSE_URL at a newer one."
        )
