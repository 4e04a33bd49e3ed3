"""The warehouse's schema at its newest version: Alembic, called by our own commands instead of an alembic.ini."""

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from ledger_pipelines.warehouse.months import qualified
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
#: SQLSTATEs of what another process makes at this moment: IF NOT EXISTS does not see that yet.
_MADE_MEANWHILE = ("23505", "42P07", "42710")


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
        _make_version_table(connection)
        # Nobody else upgrades until this transaction ends; nobody can take this lock but who may write the table.
        connection.execute(sa.text(f"LOCK TABLE {_VERSIONS} IN SHARE UPDATE EXCLUSIVE MODE"))
        return _upgrade(connection)


def is_current(connection: sa.Connection) -> bool:
    """Whether the schema has the newest version that this program knows."""
    if connection.scalar(sa.select(sa.func.to_regclass("ops.alembic_version"))) is None:
        return False
    return connection.scalars(sa.select(_VERSIONS.c.version_num)).all() == [newest()]


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
    rights = [{"table_name": qualified(table)} for table in metadata.sorted_tables]
    connection.execute(insert(write_locks).values(rights).on_conflict_do_nothing())
    connection.commit()
    return script.get_current_head() or ""


def _make_version_table(connection: sa.Connection) -> None:
    """Make the table in which Alembic notes the version, as Alembic makes it: it is locked before Alembic begins."""
    while True:
        try:
            connection.execute(sa.schema.CreateSchema("ops", if_not_exists=True))
            connection.execute(sa.schema.CreateTable(_VERSIONS, if_not_exists=True))
            connection.commit()
        except sa.exc.DBAPIError as error:
            if getattr(error.orig, "sqlstate", None) not in _MADE_MEANWHILE:
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
