"""ERP databases for tests: written with the native driver and read with each driver whose server is available."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import sqlalchemy as sa

from ledger_pipelines.sources.erp.catalogue import ErpColumn, ErpTable, Kind
from ledger_pipelines.sources.erp.connection.engine import erp_engine
from ledger_pipelines.sources.erp.reader import ErpSource
from ledger_pipelines_tests.support import servers
from ledger_pipelines_tests.support.erp.psqlodbc import with_psqlodbc

POSTGRESQL = ("psycopg", "psqlodbc")
DRIVERS = (*POSTGRESQL, "pymysql", "mariadb-odbc")

MOVES = ErpTable(
    name="moves",
    comment="One row per move; with reserved words, and a column of each kind",
    columns=tuple(
        ErpColumn(name, kind, name)
        for name, kind in {
            "id": Kind.INTEGER,
            "desc": Kind.TEXT,
            "group": Kind.TEXT,
            "planned_date": Kind.DATE,
            "moved_date": Kind.DATE,
            "qty": Kind.DECIMAL,
            "amount": Kind.DECIMAL,
            "weight": Kind.DECIMAL,
            "done": Kind.BOOLEAN,
        }.items()
    ),
    month_columns=("moved_date", "planned_date"),
    key=("id",),
)

_CREATE = {
    "postgresql": """CREATE TABLE moves (id bigint, "desc" varchar(255), "group" text, planned_date date,
        moved_date timestamp, qty numeric(38, 10), amount numeric, weight double precision, done boolean)""",
    "mysql": """CREATE TABLE moves (id bigint, `desc` varchar(255), `group` longtext, planned_date date,
        moved_date datetime(6), qty decimal(38, 10), amount decimal(65, 30), weight double, done boolean)
        DEFAULT CHARSET utf8mb4""",
}


@dataclass(frozen=True)
class Source:
    """Database with the table `moves`.

    Attributes:
        driver: Driver that reads the database.
        native: Engine for writing.
        erp: Reader under test.
    """

    driver: str
    native: sa.Engine
    erp: ErpSource

    @property
    def is_postgresql(self) -> bool:
        """Whether the server is PostgreSQL; otherwise it is MariaDB."""
        return self.native.dialect.name == "postgresql"

    def write(self, *statements: str) -> None:
        """Execute statements that quote names with double quotes, in either dialect."""
        with self.native.begin() as connection:
            for statement in statements:
                text = statement if self.is_postgresql else statement.replace('"', "`")
                connection.exec_driver_sql(text.replace("%", "%%"))

    def set_moves(self, *rows: str) -> None:
        """Replace the rows of `moves`; each row is given as SQL values."""
        self.write("DELETE FROM moves", *(f"INSERT INTO moves VALUES ({row})" for row in rows))

    def running_statements(self) -> list[str]:
        """Return the statements that other connections to this database are executing."""
        query = (
            "SELECT query FROM pg_stat_activity WHERE state = 'active' AND pid <> pg_backend_pid()"
            " AND datname = current_database()"
            if self.is_postgresql
            else "SELECT info FROM information_schema.processlist WHERE info IS NOT NULL AND db = database()"
            " AND id <> connection_id()"
        )
        with self.native.connect() as connection:
            return list(connection.exec_driver_sql(query).scalars())


@contextmanager
def create_source(driver: str) -> Iterator[Source]:
    """Create an empty source that a driver reads."""
    is_postgresql = driver in POSTGRESQL
    server = (
        servers.require_server(servers.POSTGRES, "LEDGER_TEST_POSTGRES_URL")
        if is_postgresql
        else servers.require_server(servers.MARIADB, "LEDGER_TEST_MARIADB_URL")
    )
    with servers.fresh_database(server) as url:
        native = sa.create_engine(url)
        source = Source(driver, native, ErpSource(erp_engine(_read_by(driver, url)), chunk_rows=10))
        source.write(_CREATE[native.dialect.name])
        try:
            yield source
        finally:
            native.dispose()
            source.erp.engine.dispose()


def _read_by(driver: str, url: sa.URL) -> sa.URL:
    if driver == "psqlodbc":
        servers.require_odbc("PostgreSQL Unicode", "odbc-postgresql")
        return with_psqlodbc(url)
    if driver == "mariadb-odbc":
        named = servers.require_odbc("MariaDB Unicode", "odbc-mariadb")
        changed = url.set(drivername="mysql+pyodbc", port=None)
        return changed.update_query_dict({"driver": named, "port": str(url.port or 3306)})
    return url
