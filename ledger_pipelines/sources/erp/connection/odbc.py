"""Cursor of pyodbc, choice of the ODBC driver for a SQL Server, and the options of each driver.

Microsoft's newest driver comes first, then FreeTDS, registered or not, then the driver in the Python package
`mssql-python-odbc` (`pip install ledger-pipelines[mssql]`). A driver named in the URL is used unchanged.
"""

import contextlib
import importlib.util
import platform
import re
from collections.abc import Iterable
from pathlib import Path

import sqlalchemy as sa

from ledger_pipelines.sources.dialects import server_of
from ledger_pipelines.sources.erp.connection.cursor import CancellableCursor
from ledger_pipelines.sources.erp.connection.driver_packages import NoDriverError, driver_advice

PACKAGE = "mssql_python_odbc"
_MICROSOFT = re.compile(r"ODBC Driver (\d+) for SQL Server")
_LIBRARY = re.compile(r"libmsodbcsql[-.].*", re.IGNORECASE)
_DRIVER_IN_CONNECT = re.compile(r"(?:^|;)\s*driver\s*=\s*(\{[^}]*\}|[^;]*)", re.IGNORECASE)
_LIBRARIES = (Path("/usr/lib"), Path("/usr/lib64"))
_DISTRIBUTIONS = {"debian": "debian_ubuntu", "ubuntu": "debian_ubuntu", "alpine": "alpine", "suse": "suse"}
# A readable secondary may serve read-only connections; the name identifies the program to the administrator.
_OF_ALL = {"ApplicationIntent": "ReadOnly", "APP": "ledger_pipelines"}
# Without these, FreeTDS uses a protocol without proper dates and Unicode.
_OF_FREETDS = {"TDS_Version": "7.4", "ClientCharset": "UTF-8"}


class OdbcCursor(CancellableCursor):
    """Cursor of pyodbc."""

    connect_timeout = "timeout"

    def cancel(self) -> None:
        """Cancel the statement."""
        if self._cursor is not None:
            self._cursor.cancel()


def with_driver(url: sa.URL) -> sa.URL:
    """Add the ODBC driver and its options to the URL of a SQL Server; return other URLs unchanged.

    A driver or an option that the URL already has is kept.

    Raises:
        NoDriverError: this machine has no driver for SQL Server, or the URL of another server names none.
        ImportError: pyodbc is not installed, or unixODBC is not.
    """
    given = {name.lower() for name in url.query}
    if url.get_dialect().driver != "pyodbc" or given & {"odbc_connect", "dsn"} or url.database is None:
        return url
    if not server_of(url.get_backend_name()).finds_odbc_driver:
        if "driver" not in given:
            raise NoDriverError(f"the URL names no ODBC driver; installed: {', '.join(installed_drivers()) or 'none'}.")
        return url
    if "driver" not in given:
        url = url.update_query_dict({"driver": find_driver()})
        given.add("driver")
    options = _OF_ALL | (_options_of_freetds(url) if is_freetds(driver_of(url)) else {})
    return url.update_query_dict({name: value for name, value in options.items() if name.lower() not in given})


def as_written(url: sa.URL) -> sa.URL:
    """Return the URL without the driver and the options that `with_driver` adds."""
    written = url
    for name in url.query:
        shorter = written.difference_update_query([name])
        with contextlib.suppress(NoDriverError):  # the URL names the only driver, by its file
            written = shorter if with_driver(shorter) == url else written
    return written


def _options_of_freetds(url: sa.URL) -> dict[str, str]:
    # SQLAlchemy writes "Server=host,port", which older versions do not parse, unless the port is an option of the URL.
    # Microsoft's driver (18.6) ignores such an option.
    return _OF_FREETDS | ({"port": str(url.port)} if url.port else {})


def driver_of(url: sa.URL) -> str:
    """Return the ODBC driver that a URL names, directly or in `odbc_connect`; empty if it names none."""
    query = {name.lower(): value if isinstance(value, str) else value[-1] for name, value in url.query.items()}
    if "driver" in query:
        return query["driver"]
    named = _DRIVER_IN_CONNECT.search(query.get("odbc_connect", ""))
    return named[1].strip("{} ") if named else ""


def is_freetds(driver: str) -> bool:
    """Return whether a driver, given by its name or its file, is FreeTDS."""
    return "freetds" in driver.lower() or "tdsodbc" in driver.lower()


def installed_drivers() -> list[str]:
    """Return the names of the ODBC drivers that unixODBC lists on this machine.

    Raises:
        ImportError: pyodbc is not installed, or unixODBC is not.
    """
    import pyodbc  # pyodbc's wheels lack unixODBC: import it only for an ERP that is read by ODBC

    return list(pyodbc.drivers())


def find_driver() -> str:
    """Return the name of the best installed driver for SQL Server, else the file of the packaged one.

    Raises:
        NoDriverError: no driver is installed.
        ImportError: pyodbc is not installed, or unixODBC is not.
    """
    found = best_of(installed_drivers()) or _unregistered_freetds() or packaged_driver()
    if found is None:
        raise NoDriverError("this machine has no ODBC driver for SQL Server.")
    return found


def unloadable(url: sa.URL) -> str:
    """Return what to do if unixODBC cannot load the driver of a URL, or does not list its data source."""
    named = driver_of(url)
    has_file = named.startswith("/") and Path(named).is_file()
    return driver_advice(url, named, has_file=has_file, others=installed_drivers())


def _unregistered_freetds() -> str | None:
    """Return the file of a FreeTDS that odbcinst.ini does not list: Alpine's package does not register it."""
    return next((str(file) for folder in _LIBRARIES for file in sorted(folder.glob("libtdsodbc.so*"))), None)


def best_of(names: Iterable[str]) -> str | None:
    """Return the best driver for SQL Server among these names; None if no name matches."""
    names = list(names)
    microsoft = [(int(match[1]), name) for name in names if (match := _MICROSOFT.fullmatch(name))]
    return max(microsoft)[1] if microsoft else next((name for name in names if is_freetds(name)), None)


def packaged_driver() -> str | None:
    """Return the file of the packaged driver for this machine; None if the package is not installed."""
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        return None
    system = Path(spec.submodule_search_locations[0]) / "libs" / "linux"
    folders = [system / name / _machine() / "lib" for name in (_distribution(), "debian_ubuntu", "rhel")]
    files = (file for folder in folders if folder.is_dir() for file in sorted(folder.iterdir(), reverse=True))
    return next((str(file) for file in files if _LIBRARY.fullmatch(file.name)), None)


def _machine() -> str:
    return {"amd64": "x86_64", "aarch64": "arm64"}.get(platform.machine().lower(), platform.machine().lower())


def _distribution() -> str:
    """Return the package's folder for this Linux distribution."""
    try:
        release = platform.freedesktop_os_release()
    except OSError:
        return "rhel"
    names = [release.get("ID", ""), *release.get("ID_LIKE", "").split()]
    return next((folder for name in names for key, folder in _DISTRIBUTIONS.items() if key in name), "rhel")
