"""The warehouse's schema at its newest version: Alembic, called by our own commands instead of an alembic.ini."""

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import sqlalchemy as sa

from ledger_pipelines.warehouse.tables import SCHEMAS

if TYPE_CHECKING:
    from alembic.config import Config

MINIMUM_SERVER_VERSION = 15
_MIGRATIONS = str(Path(__file__).parent / "migrations")
_MIGRATION_LOCK = "ledger_pipelines migrations"


class WarehouseError(Exception):
    """The warehouse cannot be used; the message says why and what to do."""


def alembic_config(connection: sa.Connection) -> "Config":
    """Alembic's configuration for our migrations, run on ``connection``."""
    # Alembic is imported where it is used: every process of ours imports this module, few change the schema.
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", _MIGRATIONS)
    config.attributes["connection"] = connection
    return config


def upgrade(engine: sa.Engine) -> str:
    """Bring the schema to the newest version and return that version.

    Safe to call at every start and from several processes at once.

    Raises:
        WarehouseError: the server is older than PostgreSQL 15, or its schema is newer than this program.
    """
    with engine.connect() as connection:
        _check_server(connection)
        lock = sa.func.hashtextextended(_MIGRATION_LOCK, 0)
        connection.execute(sa.select(sa.func.pg_advisory_lock(lock)))
        try:
            return _upgrade(connection)
        finally:
            # The lock is the session's, and the session outlives us in the engine's pool.
            connection.rollback()
            connection.execute(sa.select(sa.func.pg_advisory_unlock(lock)))
            connection.commit()


def is_current(connection: sa.Connection) -> bool:
    """Whether the schema has the newest version that this program knows."""
    found = sa.select(sa.text("version_num")).select_from(sa.table("alembic_version", schema="ops"))
    if connection.scalar(sa.select(sa.func.to_regclass("ops.alembic_version"))) is None:
        return False
    return connection.scalars(found).all() == [newest()]


@cache
def newest() -> str:
    """The newest version that this program knows."""
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
    connection.commit()
    config = alembic_config(connection)
    script = ScriptDirectory.from_config(config)
    known = {revision.revision for revision in script.walk_revisions()}
    current = MigrationContext.configure(connection, opts={"version_table_schema": "ops"}).get_current_revision()
    if current is not None and current not in known:
        raise WarehouseError(
            f"The warehouse's schema has version {current}, which this program does not know: it was written by "
            "a newer one. Install that version, or restore the warehouse's backup."
        )
    command.upgrade(config, "head")
    connection.commit()
    return script.get_current_head() or ""


def _check_server(connection: sa.Connection) -> None:
    version = connection.dialect.server_version_info or (0,)
    if int(version[0]) < MINIMUM_SERVER_VERSION:
        found = ".".join(str(part) for part in version)
        raise WarehouseError(
            f"The warehouse is PostgreSQL {found}; {MINIMUM_SERVER_VERSION} or newer is needed. "
            "Upgrade the server, or point LEDGER_WAREHOUSE_URL at a newer one."
        )
