"""Database servers of the tests: the embedded one, and the machine's own PostgreSQL and MariaDB."""

import os
import shutil
import socket
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from pathlib import Path
from typing import NoReturn

import pytest
import sqlalchemy as sa

from ledger_pipelines.embedded_postgres.server import EmbeddedServer
from ledger_pipelines.settings import parse_database_url
from ledger_pipelines.sources.erp.connection.odbc import installed_drivers
from ledger_pipelines.warehouse import schema

POSTGRES = parse_database_url(
    os.environ.get("LEDGER_TEST_POSTGRES_URL", "postgresql://postgres@127.0.0.1:5432/postgres")
)
MARIADB = parse_database_url(os.environ.get("LEDGER_TEST_MARIADB_URL", "mysql+pymysql://root@127.0.0.1:3306/test"))


def free_ports(count: int) -> list[int]:
    """Return different free ports on loopback."""
    with ExitStack() as stack:
        listening = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in listening:
            one.bind(("127.0.0.1", 0))
        return [int(one.getsockname()[1]) for one in listening]


def free_port() -> int:
    """Return a free port on loopback."""
    return free_ports(1)[0]


def url_with_password(url: sa.URL) -> str:
    """Return a URL with its password."""
    return url.render_as_string(hide_password=False)


@contextmanager
def running_embedded_server(*, fast_and_unsafe: bool = True) -> Iterator[EmbeddedServer]:
    """Yield a new embedded server that is deleted afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="ledger-tests-"))
    server = EmbeddedServer(folder / "postgres", free_port(), fast_and_unsafe=fast_and_unsafe)
    server.start()
    try:
        yield server
    finally:
        server.delete()
        shutil.rmtree(folder)


@contextmanager
def fresh_database(server: sa.URL, template: str | None = None) -> Iterator[sa.URL]:
    """Yield a new database on the server of a URL (of any of its databases), dropped afterwards."""
    url = _new_database(server, template)
    try:
        yield url
    finally:
        is_postgres = server.get_backend_name() == "postgresql"
        _execute(server, f"DROP DATABASE {url.database}" + (" WITH (FORCE)" if is_postgres else ""))


@contextmanager
def fresh_engine(server: sa.URL) -> Iterator[sa.Engine]:
    """Yield an engine without a pool to a new database, dropped afterwards."""
    with fresh_database(server) as url:
        yield sa.create_engine(url, poolclass=sa.NullPool)


@contextmanager
def fresh_warehouse(embedded: sa.URL) -> Iterator[sa.URL]:
    """Yield a new database on an embedded server with the warehouse's empty tables."""
    with fresh_database(embedded, template=_warehouse_template(embedded)) as url:
        yield url


@cache
def _warehouse_template(embedded: sa.URL) -> str:
    """Create the template of the warehouses: copying is faster than migrating each. It is deleted with its server."""
    url = _new_database(embedded)
    engine = sa.create_engine(url)
    schema.upgrade(engine)
    engine.dispose()
    return str(url.database)


def _new_database(server: sa.URL, template: str | None = None) -> sa.URL:
    name = f"ledger_test_{uuid.uuid4().hex[:12]}"
    _execute(server, f"CREATE DATABASE {name}" + (f" TEMPLATE {template}" if template else ""))
    return server.set(database=name)


def _execute(server: sa.URL, statement: str) -> None:
    engine = sa.create_engine(server, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
    with engine.connect() as connection:
        connection.execute(sa.text(statement))


def connection_error(url: sa.URL) -> str | None:
    """Return the reason why a server does not answer, or None if it does."""
    engine = sa.create_engine(url)
    try:
        engine.connect().close()
    except sa.exc.OperationalError as error:
        return f"no server at {url.render_as_string()}: {error.orig}"
    finally:
        engine.dispose()
    return None


def require_server(url: sa.URL, variable: str) -> sa.URL:
    """Return the URL; skip the test if its server does not answer, or fail it in CI, which provides the server."""
    if (error := connection_error(url)) is not None:
        _skip(f"{error} (set {variable})")
    return url


def require_unixodbc() -> list[str]:
    """Return the ODBC drivers of this machine; skip the test where unixODBC is missing, or fail it in CI."""
    try:
        return installed_drivers()
    except ImportError as error:
        _skip(f"pyodbc cannot be loaded (Debian: libodbc2): {error}")


def require_odbc(driver: str, package: str) -> str:
    """Return the name of an ODBC driver; skip the test where it is missing, or fail it in CI, which installs it."""
    if driver not in require_unixodbc():
        _skip(f"no ODBC driver {driver!r} (Debian: {package})")
    return driver


def require_chromium() -> str:
    """Return the path of Chromium; skip the test where it is missing, or fail it in CI, which installs it."""
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if found is None:
        _skip("no Chromium (Debian: chromium)")
    return found


def require_c_compiler() -> str:
    """Return the path of the C compiler; skip the test where it is missing, or fail it in CI, which installs it."""
    found = shutil.which("cc")
    if found is None:
        _skip("no C compiler (Debian: gcc libc6-dev)")
    return found


def _skip(reason: str) -> NoReturn:
    """Skip the test, or fail it in CI, which provides everything that tests need."""
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


def kill_readers(source: sa.Engine) -> None:
    """End the connections that read the billing application's readings from a source's database.

    The read must be under way: at PostgreSQL it fetches from a cursor, at MariaDB it sends rows.
    """
    if source.dialect.name == "postgresql":
        find = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'FETCH%%'"
        kill = "SELECT pg_terminate_backend({})"
    else:
        find = (
            "SELECT id FROM information_schema.processlist WHERE db = database() AND id <> connection_id() "
            "AND info LIKE 'SELECT%%data_pencatatan%%'"
        )
        kill = "KILL {}"
    with source.connect() as connection:
        found = connection.exec_driver_sql(find).scalars().all()
        assert found
        for number in found:
            connection.exec_driver_sql(kill.format(number))
