"""Which ODBC driver reads a SQL Server, and what each of them has to be told.

Microsoft's driver of the newest version goes first, then FreeTDS, then the one inside the Python package
`mssql-python-odbc` (`pip install ledger-pipelines[mssql]`). A driver named in the URL is taken as it is.
"""

import importlib.util
import platform
import re
from collections.abc import Iterable
from pathlib import Path

import sqlalchemy as sa

from ledger_pipelines.sources.errors import SourceError

PACKAGE = "mssql_python_odbc"
_MICROSOFT = re.compile(r"ODBC Driver (\d+) for SQL Server")
_LIBRARY = re.compile(r"libmsodbcsql[-.].*", re.IGNORECASE)
_DISTRIBUTIONS = {"debian": "debian_ubuntu", "ubuntu": "debian_ubuntu", "alpine": "alpine", "suse": "suse"}
# What the server is told of us: a secondary may serve this reader, and its administrator sees by name who it is.
_OF_ALL = {"ApplicationIntent": "ReadOnly", "APP": "ledger_pipelines"}
# Without these FreeTDS asks for a protocol that knows neither dates nor Unicode as they are.
_OF_FREETDS = {"TDS_Version": "7.4", "ClientCharset": "UTF-8"}


def with_driver(url: sa.URL) -> sa.URL:
    """The URL of a SQL Server with an ODBC driver, and with what that has to be told; others as they are.

    Nothing that the URL says is changed: a driver, or an option of one, that is given stays.

    Raises:
        SourceError: there is no driver for SQL Server on this machine.
    """
    said = {name.lower() for name in url.query}
    if url.drivername != "mssql+pyodbc" or said & {"odbc_connect", "dsn"} or url.database is None:
        return url
    if "driver" not in said:
        url = url.update_query_dict({"driver": find_driver()})
        said.add("driver")
    options = _OF_ALL | (_OF_FREETDS if is_freetds(driver_of(url)) else {})
    return url.update_query_dict({name: value for name, value in options.items() if name.lower() not in said})


def driver_of(url: sa.URL) -> str:
    """The ODBC driver that a URL names, empty if it names none."""
    named = next((value for name, value in url.query.items() if name.lower() == "driver"), "")
    return named if isinstance(named, str) else named[-1]


def is_freetds(driver: str) -> bool:
    """Whether a driver, by its name or its file, is FreeTDS."""
    return "freetds" in driver.lower() or "tdsodbc" in driver.lower()


def installed_drivers() -> list[str]:
    """Return the names of the ODBC drivers that unixODBC lists on this machine.

    Raises:
        ImportError: pyodbc is not installed, or unixODBC is not.
    """
    import pyodbc  # pyodbc's wheels lack unixODBC: import it only for an ERP that is read by ODBC

    return list(pyodbc.drivers())


def find_driver() -> str:
    """The name of the best driver for SQL Server that the system has, else the file of the one from the package.

    Raises:
        SourceError: there is none.
        ImportError: pyodbc is not installed, or unixODBC is not.
    """
    found = best_of(installed_drivers()) or packaged_driver()
    if found is None:
        raise SourceError(
            "There is no ODBC driver for SQL Server on this machine. Install one: "
            "pip install ledger-pipelines[mssql], or Debian's tdsodbc, or Microsoft's msodbcsql18. Nothing was changed."
        )
    return found


def best_of(names: Iterable[str]) -> str | None:
    """The best of some drivers for SQL Server; None if none of them is one."""
    names = list(names)
    microsoft = [(int(match[1]), name) for name in names if (match := _MICROSOFT.fullmatch(name))]
    return max(microsoft)[1] if microsoft else next((name for name in names if is_freetds(name)), None)


def packaged_driver() -> str | None:
    """The file of the driver in the Python package for this machine; None if it is not installed."""
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
    """The folder of the package for this distribution of Linux."""
    try:
        release = platform.freedesktop_os_release()
    except OSError:
        return "rhel"
    names = [release.get("ID", ""), *release.get("ID_LIKE", "").split()]
    return next((folder for name in names for key, folder in _DISTRIBUTIONS.items() if key in name), "rhel")
