"""Choice of the ODBC driver for a SQL Server, its options, and the messages if it is missing."""

import importlib.util
import platform
import sys
from importlib.machinery import ModuleSpec
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from ledger_pipelines.sources.erp.catalogue import STOCKBYWH
from ledger_pipelines.sources.erp.connection import odbc as erp_odbc
from ledger_pipelines.sources.erp.connection.engine import erp_engine
from ledger_pipelines.sources.erp.connection.odbc import best_of, driver_of, find_driver, packaged_driver, with_driver
from ledger_pipelines.sources.erp.reader import ErpSource
from ledger_pipelines.sources.errors import SourceError
from ledger_pipelines_tests.support import servers
from ledger_pipelines_tests.support.erp.psqlodbc import with_psqlodbc

URL = sa.make_url("mssql+pyodbc://reader:s3cret@erp.example.com:1433/soi107")
MICROSOFT = "ODBC Driver 18 for SQL Server"


@pytest.mark.parametrize(
    ("names", "best"),
    [
        (["FreeTDS", "ODBC Driver 9 for SQL Server", MICROSOFT, "ODBC Driver 17 for SQL Server"], MICROSOFT),
        (["PostgreSQL Unicode", "FreeTDS"], "FreeTDS"),
        (["PostgreSQL Unicode", "ODBC Driver 18 for SQL Servers"], None),
        ([], None),
    ],
)
def test_the_best_driver(names: list[str], best: str | None) -> None:
    assert best_of(names) == best


@pytest.mark.parametrize(
    ("query", "driver"),
    [
        ({"driver": "FreeTDS"}, "FreeTDS"),
        ({"Driver": ("FreeTDS", MICROSOFT)}, MICROSOFT),
        ({"odbc_connect": f"Server=here;DRIVER = {{{MICROSOFT}}};UID=me"}, MICROSOFT),
        ({"odbc_connect": "driver=FreeTDS"}, "FreeTDS"),
        ({"odbc_connect": "DSN=erp;NotADriver=x"}, ""),
        ({}, ""),
    ],
)
def test_the_driver_of_a_url(query: dict[str, str | tuple[str, ...]], driver: str) -> None:
    assert driver_of(sa.URL.create("mssql+pyodbc", query=query)) == driver


def set_drivers(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    """Let unixODBC list these drivers."""
    monkeypatch.setattr(erp_odbc, "installed_drivers", lambda: list(names))


def test_freetds_gets_a_protocol_with_dates_and_unicode(monkeypatch: pytest.MonkeyPatch) -> None:
    set_drivers(monkeypatch, "FreeTDS")
    assert dict(with_driver(URL).query) == {
        "driver": "FreeTDS",
        "TDS_Version": "7.4",
        "ClientCharset": "UTF-8",
        "port": "1433",
        "ApplicationIntent": "ReadOnly",
        "APP": "ledger_pipelines",
    }


@pytest.mark.parametrize(
    ("driver", "address", "server"),
    [
        ("FreeTDS", "h:1433", ["Server=h", "port=1433"]),
        ("FreeTDS", "h", ["Server=h"]),
        ("FreeTDS", "h%5CSQLEXPRESS", ["Server=h\\SQLEXPRESS"]),
        ("FreeTDS", "h\\SQLEXPRESS:1500", ["Server=h", "port=1500"]),
        (MICROSOFT, "h:1433", ["Server=h,1433"]),
        (MICROSOFT, "h%5CSQLEXPRESS", ["Server=h\\SQLEXPRESS"]),
        (MICROSOFT, "h%5CSQLEXPRESS:1500", ["Server=h,1500"]),
    ],
)
def test_the_server_and_port_of_each_driver(driver: str, address: str, server: list[str]) -> None:
    servers.require_unixodbc()
    url = sa.make_url(f"mssql+pyodbc://reader:s3cret@{address}/soi107").update_query_dict({"driver": driver})
    engine = erp_engine(url)
    ((text,), _) = engine.dialect.create_connect_args(engine.url)
    assert [part for part in text.split(";") if part.lower().startswith(("server=", "port="))] == server
    assert engine.url.port == url.port


def test_encryption_options_are_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    set_drivers(monkeypatch, MICROSOFT)
    assert dict(with_driver(URL).query) == {
        "driver": MICROSOFT,
        "ApplicationIntent": "ReadOnly",
        "APP": "ledger_pipelines",
    }
    trusting = URL.update_query_dict({"TrustServerCertificate": "yes", "applicationintent": "ReadWrite"})
    assert dict(with_driver(trusting).query) == {
        "driver": MICROSOFT,
        "APP": "ledger_pipelines",
        "TrustServerCertificate": "yes",
        "applicationintent": "ReadWrite",
    }


@pytest.mark.parametrize(
    "text",
    [
        "mssql+pyodbc:///?odbc_connect=DRIVER%3DFreeTDS%3BSERVER%3Dh",
        "mssql+pyodbc://reader:x@name_of_a_source",
        "mssql+pyodbc://reader:x@h:1433/erp?dsn=name_of_a_source",
        "mysql+pymysql://reader:x@h/erp",
        "postgresql+psycopg://reader:x@h/erp",
    ],
)
def test_a_url_that_needs_no_driver_is_unchanged(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    set_drivers(monkeypatch)
    assert with_driver(sa.make_url(text)) == sa.make_url(text)


def test_a_named_driver_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    set_drivers(monkeypatch, MICROSOFT)
    url = with_driver(URL.update_query_dict({"Driver": "/usr/lib/libtdsodbc.so", "tds_version": "7.3"}))
    assert {name.lower(): value for name, value in url.query.items()} == {
        "driver": "/usr/lib/libtdsodbc.so",
        "port": "1433",
        "tds_version": "7.3",
        "clientcharset": "UTF-8",
        "applicationintent": "ReadOnly",
        "app": "ledger_pipelines",
    }


def install_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *folders: str) -> Path:
    """Install a package with the driver for these Linux distributions; return its folder of libraries."""
    libraries = tmp_path / "libs" / "linux"
    for folder in folders:
        library = libraries / folder / "x86_64" / "lib"
        library.mkdir(parents=True)
        for name in ("libmsodbcsql-18.6.so.2.1", "libodbcinst.so.2", "MICROSOFT_ODBC_DRIVER_LICENSE.txt"):
            (library / name).touch()
    spec = ModuleSpec("mssql_python_odbc", None, is_package=True)
    spec.submodule_search_locations = [str(tmp_path)]
    find: Any = lambda name: spec if name == "mssql_python_odbc" else None  # noqa: E731 - short enough for a lambda
    monkeypatch.setattr(importlib.util, "find_spec", find)
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")
    return libraries


@pytest.mark.parametrize(
    ("release", "folder"),
    [
        ({"ID": "debian"}, "debian_ubuntu"),
        ({"ID": "linuxmint", "ID_LIKE": "ubuntu debian"}, "debian_ubuntu"),
        ({"ID": "rocky", "ID_LIKE": "rhel centos fedora"}, "rhel"),
        ({"ID": "opensuse-leap", "ID_LIKE": "suse opensuse"}, "suse"),
    ],
)
def test_the_packaged_driver_matches_the_distribution(
    release: dict[str, str], folder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    libraries = install_package(tmp_path, monkeypatch, "debian_ubuntu", "rhel", "suse")
    monkeypatch.setattr(platform, "freedesktop_os_release", lambda: release)
    set_drivers(monkeypatch, "PostgreSQL Unicode")
    assert find_driver() == str(libraries / folder / "x86_64" / "lib" / "libmsodbcsql-18.6.so.2.1")


def refused(url: sa.URL) -> str:
    """Return the message of an ERP that cannot be read."""
    with pytest.raises(SourceError) as error:
        ErpSource(erp_engine(url)).check(STOCKBYWH)
    assert "s3cret" not in str(error.value)
    return str(error.value)


def test_no_driver_at_all(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    set_drivers(monkeypatch, "PostgreSQL Unicode")
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    monkeypatch.setattr(erp_odbc, "_LIBRARIES", (tmp_path,))
    assert packaged_driver() is None
    message = refused(URL)
    assert "cannot be read: this machine has no ODBC driver for SQL Server. Install unixODBC and a driver" in message
    assert "`apt-get install libodbc2 tdsodbc` (Debian, Ubuntu)" in message


def test_an_unregistered_driver(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Alpine's FreeTDS package does not register its driver."""
    set_drivers(monkeypatch)
    monkeypatch.setattr(erp_odbc, "_LIBRARIES", (tmp_path,))
    (tmp_path / "libtdsodbc.so.0").touch()
    assert with_driver(URL).query["driver"] == str(tmp_path / "libtdsodbc.so.0")
    assert with_driver(URL).query["TDS_Version"] == "7.4"


def test_a_driver_that_is_not_installed() -> None:
    servers.require_unixodbc()
    message = refused(URL.update_query_dict({"driver": "Nonsense"}))
    assert "The ODBC driver 'Nonsense' named in the URL is not installed." in message
    assert "`dnf install unixODBC freetds` (Fedora, RHEL with EPEL)" in message
    message = refused(sa.make_url("mysql+pyodbc://reader:s3cret@erp.example.com/erp?driver=Nonsense"))
    assert "`apk add unixodbc mariadb-connector-odbc` (Alpine)." in message
    assert "`LEDGER_ERP_URL=mysql+pymysql://reader:***@erp.example.com/erp` needs neither." in message
    message = refused(sa.make_url("mssql+pyodbc:///?odbc_connect=DRIVER%3DNonsense%3BSERVER%3Dh%3BPWD%3Ds3cret"))
    assert "`LEDGER_ERP_URL=mssql+pymssql://user:***@host/database` needs neither: `pip install" in message


def test_a_driver_without_its_libraries(tmp_path: Path) -> None:
    servers.require_unixodbc()
    for name, advice in (("libmsodbcsql-18.6.so.2.1", "`apt-get install libltdl7"), ("libtdsodbc.so", "`ldd /")):
        library = tmp_path / name
        library.write_text("no library")
        message = refused(URL.update_query_dict({"driver": str(library)}))
        assert f"A library that this driver is linked with is not installed: {advice}" in message


def test_a_data_source_that_is_not_configured() -> None:
    servers.require_unixodbc()
    message = refused(sa.make_url("mssql+pyodbc://reader:s3cret@name_of_a_source"))
    assert "The data source in LEDGER_ERP_URL is not one that `odbcinst -q -s` lists." in message


@pytest.mark.parametrize(
    ("url", "packages", "instead"),
    [
        (URL.set(drivername="mysql+pyodbc"), "libodbc2 odbc-mariadb", "mysql+pymysql://"),
        (URL.set(drivername="mariadb+pyodbc"), "libodbc2 odbc-mariadb", "mysql+pymysql://"),
        (with_psqlodbc(URL).difference_update_query(["driver"]), "libodbc2 odbc-postgresql", "postgresql://"),
    ],
)
def test_other_servers_by_odbc(url: sa.URL, packages: str, instead: str, monkeypatch: pytest.MonkeyPatch) -> None:
    set_drivers(monkeypatch, "Some Driver")
    message = refused(url)
    assert "the URL names no ODBC driver; installed: Some Driver. Install" in message
    assert f"`apt-get install {packages}` (Debian, Ubuntu)" in message
    assert f"`LEDGER_ERP_URL={instead}reader:***@erp.example.com:1433/soi107` needs neither." in message
    monkeypatch.setitem(sys.modules, "pyodbc", None)
    assert "the Python package pyodbc is not installed: `pip install 'pyodbc'`" in refused(
        url.update_query_dict({"driver": "Some Driver"})
    )


def test_freetds_reports_an_unreachable_server() -> None:
    """The real driver at an unused port: it gets our options, and its message reaches the user."""
    driver = servers.require_odbc("FreeTDS", "tdsodbc")
    url = URL.set(host="127.0.0.1", port=servers.free_port()).update_query_dict({"driver": driver})
    assert "Check the host and the port in LEDGER_ERP_URL" in refused(url)
