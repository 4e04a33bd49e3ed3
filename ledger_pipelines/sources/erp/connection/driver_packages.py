"""Packages that reading the ERP needs on each distribution, and the messages that name them."""

import sqlalchemy as sa

from ledger_pipelines.settings import mask_url
from ledger_pipelines.sources.dialects import server_of
from ledger_pipelines.sources.dialects.parts import OdbcPackages


class NoDriverError(Exception):
    """No ODBC driver can be chosen for a URL: none is installed, or the URL must name one."""


_OF_MICROSOFTS_DRIVER = OdbcPackages("libltdl7 libgssapi-krb5-2", "libtool-ltdl krb5-libs", "libltdl krb5-libs")
"""Libraries that the driver of the Python package mssql-python-odbc is linked with but does not include."""

UNSUPPORTED = {
    "mssqlpython": (
        "mssql+mssqlpython:// is not supported: that driver cannot cancel a statement. Write mssql+pyodbc://, or "
        "mssql+pymssql:// (`pip install 'ledger-pipelines[pymssql]'`)."
    )
}
"""Drivers of SQLAlchemy that are not supported: the reason, and what to use instead."""

_EXTRAS = {"pymssql": "ledger-pipelines[pymssql]"}


def setting(url: sa.URL) -> str:
    """Return the setting that holds a URL, without the password, in backquotes."""
    host = (url.host or "").replace("\\", "%5C")
    return f"`LEDGER_ERP_URL={mask_url(url.set(host=host))}`"


def missing(url: sa.URL, error: ImportError | NoDriverError) -> str:
    """Return what is missing on this machine to connect to a URL, and the commands that install it."""
    backend, driver = url.get_backend_name(), url.get_dialect().driver
    if isinstance(error, NoDriverError):
        return f"{error} Install unixODBC and a driver for {server_of(backend).title}: {_odbc(url)}"
    if driver == "pyodbc" and not isinstance(error, ModuleNotFoundError):
        return f"unixODBC is not installed ({error}). Install it and a driver: {_odbc(url)}"
    package = error.name or driver
    return f"the Python package {package} is not installed: `pip install '{_EXTRAS.get(package, package)}'`."


def driver_advice(url: sa.URL, named: str, *, has_file: bool, others: list[str]) -> str:
    """Return what to do about an ODBC driver that unixODBC cannot load.

    Args:
        url: URL of the ERP.
        named: Driver of the URL; empty if the URL names a data source.
        has_file: Whether the driver is named by its file, and the file exists.
        others: Drivers that unixODBC lists.
    """
    if has_file:
        packages = _OF_MICROSOFTS_DRIVER if "msodbcsql" in named else f"`ldd {named}` lists it."
        return f"A library that this driver is linked with is not installed: {packages}"
    if not named:
        return "The data source in LEDGER_ERP_URL is not one that `odbcinst -q -s` lists."
    listed = ", ".join(name for name in others if name != named)
    choice = f"Name one that is ({listed})" if listed else "Name another"
    return f"The ODBC driver {named!r} named in the URL is not installed. {choice}, or install: {_odbc(url)}"


def _odbc(url: sa.URL) -> str:
    """Return the packages for the server of a URL, and the setting that needs none of them."""
    packages = server_of(url.get_backend_name()).odbc_packages
    if packages is None:
        return "see the documentation of your distribution."
    native = url.set(drivername=packages.native, query={})
    if not (url.host and url.database):  # they are in odbc_connect, or in a data source of unixODBC
        native = sa.make_url(f"{packages.native}://user:password@host/database")
    extra = _EXTRAS.get(native.get_driver_name())
    remark = f"{packages.remark} " if packages.remark else ""
    command = f": `pip install '{extra}'`" if extra else ""
    return f"{packages} {remark}{setting(native)} needs neither{command}."
