"""Settings: defaults, sources, and one readable message without secrets for all wrong values."""

import os
import re
import subprocess
import sys
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

import ledger_pipelines
from ledger_pipelines.settings import (
    Settings,
    SettingsError,
    load_settings,
    mask_url,
    model,
    parse_database_url,
    variable_name,
)
from ledger_pipelines.sources.erp.catalogue import ERP_TABLES

SECRET = "s3cr3t-Pa55"  # noqa: S105 - a password to look for in messages


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return an empty project folder, with another current folder and an environment without settings."""
    for name in [name for name in os.environ if name.upper().startswith("LEDGER_")]:
        monkeypatch.delenv(name)
    folder = tmp_path / "project"
    elsewhere = tmp_path / "elsewhere"
    folder.mkdir()
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    monkeypatch.setattr(model, "project_folder", lambda: folder)
    load_settings.cache_clear()
    return folder


def problem_of(error: pytest.ExceptionInfo[SettingsError], name: str) -> str:
    """Return the line of the message about a variable."""
    lines = [line for line in str(error.value).splitlines() if line.startswith(f"  - {name}: ")]
    assert len(lines) == 1, str(error.value)
    return lines[0]


def test_defaults(project: Path) -> None:
    settings = Settings()
    assert settings.home == project / ".ledger"
    assert settings.warehouse_url is None
    assert settings.billing_url is None
    assert settings.zone == ZoneInfo("Asia/Jakarta")
    assert settings.first_month == "2024-12"
    assert (settings.ui_host, settings.ui_port) == ("127.0.0.1", 3000)
    assert (settings.code_server_port, settings.db_port) == (4266, 54329)
    assert (settings.api_host, settings.api_port) == ("127.0.0.1", 8000)
    assert (settings.trusted_ui_origins, settings.cors_origins, settings.trusted_proxies) == ((), (), ())
    assert (settings.deletion_guard_share, settings.deletion_guard_rows) == (Decimal("0.20"), 100)
    assert (settings.erp_shrink_share, settings.erp_shrink_rows) == (Decimal("0.05"), 20)


def test_precedence_of_the_sources(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ports = "LEDGER_UI_PORT=3001\nLEDGER_DB_PORT=5001\nLEDGER_CODE_SERVER_PORT=4001\n"
    (project / ".env").write_text(f"{ports}LEDGER_DELETION_GUARD_ROWS=1\nPOSTGRES_PASSWORD=of-another\n")
    Path(".env").write_text(ports.replace("001", "002"))
    monkeypatch.setenv("LEDGER_DB_PORT", "5003")
    monkeypatch.setenv("LEDGER_CODE_SERVER_PORT", "4003")
    settings = Settings(code_server_port=4004)
    assert settings.deletion_guard_rows == 1
    assert settings.ui_port == 3002
    assert settings.db_port == 5003
    assert settings.code_server_port == 4004


def test_an_empty_variable_is_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEDGER_WAREHOUSE_URL", "")
    monkeypatch.setenv("LEDGER_UI_PORT", "")
    assert Settings().warehouse_url is None
    assert Settings().ui_port == 3000


def test_home_is_absolute_whatever_the_current_folder(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEDGER_HOME", "data/../ledger data")
    assert Settings().home == project / "ledger data"
    assert Settings(home="~/ledger").home == Path.home().resolve() / "ledger"


def test_settings_are_frozen_and_cached(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = load_settings()
    with pytest.raises(ValueError, match="frozen"):
        settings.ui_port = 1
    monkeypatch.setenv("LEDGER_UI_PORT", "3999")
    assert load_settings() is settings


@pytest.mark.parametrize(
    ("name", "value", "problem"),
    [
        ("LEDGER_HOME", "a-file", "is a file, not a folder"),
        ("LEDGER_WAREHOUSE_URL", "db.example.com", "is not a database URL"),
        ("LEDGER_WAREHOUSE_URL", f"mysql://me:{SECRET}@host/db", "of a mysql database; it must be PostgreSQL"),
        ("LEDGER_WAREHOUSE_URL", f"postgresql://me:{SECRET}@host", "names no database"),
        ("LEDGER_WAREHOUSE_URL", f"postgresql://me:{SECRET}@host:port/db", "is the port a number"),
        ("LEDGER_WAREHOUSE_URL", f"postgresql://me:x@{SECRET}@host/db", "write @ as %40"),
        ("LEDGER_WAREHOUSE_URL", f"host=h password={SECRET} dbname=d", "is not a database URL"),
        ("LEDGER_BILLING_URL", f"mysqll://me:{SECRET}@host/db", "mysqll://, which is not a supported kind"),
        ("LEDGER_BILLING_URL", f"{SECRET} mysql://host/db", "is not a database URL"),
        ("LEDGER_ERP_URL", SECRET, "is not a database URL"),
        ("LEDGER_ERP_SCHEMA", "dbo,sales", "has two default schemas, dbo and sales"),
        ("LEDGER_ERP_SCHEMA", "a.stockbywh,[b].stockbywh", "has two schemas of stockbywh, a and b"),
        ("LEDGER_ERP_SCHEMA", "sales.stock", "has sales.stock, but the catalogue has no table stock; it has stock"),
        ("LEDGER_ERP_SCHEMA", "dbo, erp.dbo.stockbywh", "item 'erp.dbo.stockbywh' that is neither a schema nor"),
        ("LEDGER_ERP_SCHEMA", '"Sales".stockbywh', "that is neither a schema nor schema.table"),
        ("LEDGER_ERP_SCHEMA", f"mssql://me:{SECRET}@host/db", "has an item that is neither a schema nor schema.table"),
        ("LEDGER_DAGSTER_URL", f"sqlite:///{SECRET}", "it must be PostgreSQL"),
        ("LEDGER_TIMEZONE", "Asia/Jakrta", "'Asia/Jakrta' is not a time zone"),
        ("LEDGER_TIMEZONE", "Asia", "'Asia' is not a time zone"),
        ("LEDGER_TIMEZONE", "../etc", "'../etc' is not a time zone"),
        ("LEDGER_FIRST_MONTH", "2024-13", "'2024-13' is not a month written as YYYY-MM"),
        ("LEDGER_FIRST_MONTH", "2024-12-01", "is not a month written as YYYY-MM"),
        ("LEDGER_FIRST_MONTH", "1924-12", "is before 1970-01"),
        ("LEDGER_UI_HOST", "http://localhost", "is not a host name or address"),
        ("LEDGER_UI_PORT", "http", "'http' is not a port from 1 to 65535"),
        ("LEDGER_UI_PORT", "0", "'0' is not a port from 1 to 65535"),
        ("LEDGER_UI_PORT", f"postgresql://me:{SECRET}@host/db", "is not a port"),
        ("LEDGER_CODE_SERVER_PORT", "65536", "'65536' is not a port from 1 to 65535"),
        ("LEDGER_CODE_SERVER_PORT", "3000", "is the same port as LEDGER_UI_PORT"),
        ("LEDGER_DB_PORT", "4266", "is the same port as LEDGER_CODE_SERVER_PORT"),
        ("LEDGER_API_HOST", "localhost:80", "is not a host name or address"),
        ("LEDGER_API_PORT", "54329", "is the same port as LEDGER_DB_PORT"),
        ("LEDGER_UI_ORIGINS", "dagster.example.com", "has dagster.example.com, which is not an origin"),
        (
            "LEDGER_UI_ORIGINS",
            "https://dagster.example.com/",
            "has https://dagster.example.com/, which is not an origin",
        ),
        ("LEDGER_UI_ORIGINS", "http://a.example.com:80", "has http://a.example.com:80, which is not an origin"),
        ("LEDGER_UI_ORIGINS", "https://[2001:db8::1]:443", "has https://[2001:db8::1]:443, which is not an origin"),
        ("LEDGER_UI_ORIGINS", "null", "has null, which is not an origin"),
        ("LEDGER_API_CORS_ORIGINS", "*", "has *, which is not an origin"),
        ("LEDGER_API_CORS_ORIGINS", "https://a.example.com, https://b.example.com/", "has https://b.example.com/"),
        ("LEDGER_API_CORS_ORIGINS", f"https://me:{SECRET}@host", "has an item, which is not an origin"),
        ("LEDGER_API_CORS_ORIGINS", f"https://me:{SECRET},5@host", "has an item, which is not an origin"),
        ("LEDGER_UI_ORIGINS", f"https://host/hooks/{SECRET}", "has an item, which is not an origin"),
        ("LEDGER_UI_ORIGINS", f"https://host?token={SECRET}", "has an item, which is not an origin"),
        ("LEDGER_UI_ORIGINS", f"postgresql://host/{SECRET}", "has an item, which is not an origin"),
        ("LEDGER_API_TRUSTED_PROXIES", "127.0.0.1,proxy", "has proxy, which is neither"),
        ("LEDGER_API_TRUSTED_PROXIES", f"http://me:{SECRET}@proxy", "has an item, which is neither"),
        ("LEDGER_API_TRUSTED_PROXIES", "10.0.0.1/8", "has 10.0.0.1/8, which is neither"),
        ("LEDGER_DELETION_GUARD_SHARE", "20%", "'20%' is not a share from 0 to 1"),
        ("LEDGER_DELETION_GUARD_SHARE", "1.01", "'1.01' is not a share from 0 to 1"),
        ("LEDGER_DELETION_GUARD_SHARE", "NaN", "'NaN' is not a share from 0 to 1"),
        ("LEDGER_BILLING_STATEMENT_TIMEOUT_SECONDS", "soon", "'soon' is not a number of seconds from 1 to 86400"),
        ("LEDGER_ERP_STATEMENT_TIMEOUT_SECONDS", "0", "'0' is not a number of seconds from 1 to 86400"),
        ("LEDGER_DELETION_GUARD_ROWS", "-1", "'-1' is not a number of rows, 0 or more"),
        ("LEDGER_ERP_SHRINK_SHARE", "5%", "'5%' is not a share from 0 to 1"),
        ("LEDGER_ERP_SHRINK_ROWS", "0", "'0' is not a number of rows, 1 or more"),
        ("LEDGER_ALERT_DAYS", "a week", "'a week' is not a number of days from 0 to 3650"),
        ("LEDGER_ALERT_WEBHOOK_SECRET", SECRET, "is not a text of at least 16 characters"),
        ("LEDGER_ALERT_WEBHOOK_URL", f"https://host/{SECRET}", "set LEDGER_ALERT_WEBHOOK_SECRET too"),
        ("LEDGER_ALERT_WEBHOOK_URL", f"host/{SECRET}", "begins with http:// or https://"),
        ("LEDGER_ALERT_WEBHOOK_URL", f"file:///{SECRET}", "begins with http:// or https://"),
        ("LEDGER_ALERT_WEBHOOK_URL", f"https://me:{SECRET}@host/", "without a user name"),
        ("LEDGER_ALERT_WEBHOOK_URL", f"https://host/{SECRET} x", "without a user name or blanks"),
        ("LEDGER_ALERT_WEBHOOK_URL", f"https://host:port/{SECRET}", "is not a URL"),
    ],
)
def test_a_wrong_value(name: str, value: str, problem: str, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (project / "a-file").touch()
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as error:
        Settings()
    line = problem_of(error, name)
    assert problem in line
    assert f"Example: {name}=" in line
    assert len(str(error.value).splitlines()) == 3
    assert SECRET not in str(error.value) + repr(error.value)
    assert error.value.__context__ is None, "a traceback would show pydantic's error with the value"


def test_every_example_is_valid(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, field in Settings.model_fields.items():
        assert field.examples, name
        monkeypatch.setenv(variable_name(name), str(field.examples[0]))
    Settings()


def test_the_first_month_is_checked_in_the_zone(monkeypatch: pytest.MonkeyPatch) -> None:
    now = datetime(2025, 5, 31, 18, tzinfo=ZoneInfo("UTC"))  # 1 June, 01:00 in Jakarta

    class Clock(datetime):
        """Clock that stands still."""

        @classmethod
        def now(cls, tz: object = None) -> datetime:  # type: ignore[override]
            """Return the fixed time."""
            assert isinstance(tz, ZoneInfo)
            return now.astimezone(tz)

    monkeypatch.setattr(model, "datetime", Clock)
    assert Settings(first_month="2025-06").first_month == "2025-06"
    for month, zone in (("2025-07", "Asia/Jakarta"), ("2025-06", "Europe/London")):
        with pytest.raises(SettingsError) as error:
            Settings(first_month=month, timezone=zone)
        assert f"is after the current month in {zone}" in problem_of(error, "LEDGER_FIRST_MONTH")


def test_origins_and_proxies_are_lists() -> None:
    settings = Settings(
        api_cors_origins="https://a.example.com, http://[::1]:8080 ,", api_trusted_proxies="::1,10.0.0.0/8"
    )
    assert settings.cors_origins == ("https://a.example.com", "http://[::1]:8080")
    ports = ("http://a.example.com:443", "https://a.example.com:8443", "https://[2001:db8::80]")
    assert Settings(ui_origins=",".join(ports)).trusted_ui_origins == ports
    assert settings.trusted_proxies == ("::1", "10.0.0.0/8")


def test_tables_of_the_erp_have_schemas() -> None:
    assert Settings().erp_schemas == {}
    assert Settings(erp_schema="sales.stockbywh").erp_schemas == {"stockbywh": "sales"}
    of_all = Settings(erp_schema="[sales].[stockbywh], dbo, [a.b c].view_prod_header").erp_schemas
    assert list(of_all) == [table.name for table in ERP_TABLES]
    assert {name for name, schema in of_all.items() if schema != "dbo"} == {"stockbywh", "view_prod_header"}
    assert (of_all["stockbywh"], of_all["view_prod_header"]) == ("sales", "a.b c")


def test_all_problems_are_in_one_message(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEDGER_UI_PORT", "many")
    monkeypatch.setenv("LEDGER_TIMEZONE", "WIB")
    monkeypatch.setenv("LEDGER_WAREHOUSE_URI", f"postgresql://me:{SECRET}@host/db")
    with pytest.raises(SettingsError) as error:
        Settings()
    for name in ("LEDGER_UI_PORT", "LEDGER_TIMEZONE", "LEDGER_WAREHOUSE_URI"):
        problem_of(error, name)
    assert SECRET not in str(error.value)
    assert ".env.example" in str(error.value)


@pytest.mark.parametrize("where", ["environment", "file", "argument"])
def test_an_unknown_name_suggests_the_nearest(where: str, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    values = {}
    if where == "environment":
        monkeypatch.setenv("LEDGER_WAREHOUS_URL", SECRET)
    elif where == "file":
        (project / ".env").write_text(f"LEDGER_WAREHOUS_URL={SECRET}\n")
    else:
        values = {"warehous_url": SECRET}
    with pytest.raises(SettingsError) as error:
        Settings(**values)
    assert "did you mean LEDGER_WAREHOUSE_URL?" in problem_of(error, "LEDGER_WAREHOUS_URL")
    assert SECRET not in str(error.value)


def test_an_unknown_name_unlike_any_lists_the_known_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEDGER_XYZZY", "1")
    with pytest.raises(SettingsError) as error:
        Settings()
    assert "known are LEDGER_HOME, LEDGER_WAREHOUSE_URL," in problem_of(error, "LEDGER_XYZZY")


def test_names_of_others_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEDGER_TEST_SERVER", "1")
    monkeypatch.setenv("LEDGER_WEB_PORT", "tcp://10.0.0.1:3000")  # Kubernetes announces services in this form
    monkeypatch.setenv("LEDGER_WEB_SERVICE_HOST", "10.0.0.1")
    monkeypatch.setenv("LEDGER_WEB_PORT_3000_TCP_ADDR", "10.0.0.1")
    Settings()


def test_an_unreadable_file_is_named(project: Path) -> None:
    (project / ".env").write_bytes(b"LEDGER_UI_PORT=\xff\n")
    with pytest.raises(SettingsError, match=re.escape(str(project / ".env"))):
        Settings()


def test_no_password_in_any_rendering() -> None:
    settings = Settings(
        warehouse_url=f"postgresql://me:{SECRET}@host/db",
        billing_url=f"mysql://me:{SECRET}@host/db",
        erp_url=f"mssql+pyodbc:///?odbc_connect=PWD%3D{SECRET}",
        dagster_url=f"postgresql://host/db?password={SECRET}",
        alert_webhook_url=f"https://host/{SECRET}",
        alert_webhook_secret=SECRET * 2,
    )
    assert SECRET not in f"{settings} {settings!r} {settings.model_dump()} {settings.model_dump_json()}"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("postgres://u:p@h/d", "postgresql+psycopg://u:p@h/d"),
        ("postgresql://u:p@h:1/d?sslmode=require", "postgresql+psycopg://u:p@h:1/d?sslmode=require"),
        ("postgresql+psycopg://h/d", "postgresql+psycopg://h/d"),
        ("postgresql+psycopg2://h/d", "postgresql+psycopg://h/d"),
        ("mysql://u:p%40q@h/d", "mysql+pymysql://u:p%40q@h/d"),
        ("mysql+pymysql://h/d", "mysql+pymysql://h/d"),
        ("mariadb://h/d", "mariadb+pymysql://h/d"),
        ("postgresql://u@h/d?password=p", "postgresql+psycopg://u:p@h/d"),
        ("mssql+pyodbc://h/d?driver=x", "mssql+pyodbc://h/d?driver=x"),
    ],
)
def test_database_url(text: str, expected: str) -> None:
    assert parse_database_url(text).render_as_string(hide_password=False) == expected


def test_the_example_file_lists_every_setting(project: Path) -> None:
    example = Path(ledger_pipelines.__file__).parent.parent / ".env.example"
    lines = re.findall(r"^#(LEDGER_\w+=.*)$", example.read_text(), flags=re.MULTILINE)
    assert {line.partition("=")[0] for line in lines} == {variable_name(name) for name in Settings.model_fields}
    (project / ".env").write_text("\n".join(lines))
    settings = Settings()
    endings = ("_url", "_schema", "_secret", "_origins", "_proxies")
    unset = {name for name in Settings.model_fields if name.endswith(endings)}
    assert settings.model_dump(exclude=unset) == Settings.model_construct(home=project / ".ledger").model_dump(
        exclude=unset
    )


def test_importing_the_settings_is_light() -> None:
    program = (
        "import sys, ledger_pipelines.settings as s; print([m for m in ('pandas', 'dagster') if m in sys.modules])"
    )
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"


@pytest.mark.parametrize(
    "text",
    [
        "postgresql://me:geheim@h/d",
        "postgresql://h/d?sslpassword=geheim",
        "mssql+pyodbc:///?odbc_connect=SERVER%3Dh;PWD%3Dgeheim",
    ],
)
def test_masked(text: str) -> None:
    shown = mask_url(parse_database_url(text))
    assert "geheim" not in shown
    assert "***" in shown or "hidden" in shown


OLD_ERP = {
    "DB_CONNECTION2": "sqlsrv",
    "DB_HOST2": "erp.example.com",
    "DB_PORT2": "1434",
    "DB_DATABASE2": "soi107",
    "DB_USERNAME2": "reader",
    "DB_PASSWORD2": f"@{SECRET}/:%",
}


def erp_of(settings: Settings) -> str | None:
    """Return the URL of the ERP with its password."""
    return None if settings.erp_url is None else settings.erp_url.get_secret_value()


@pytest.mark.parametrize("where", ["environment", "file"])
def test_the_old_variables_set_the_erp_url(where: str, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in OLD_ERP.items():
        if where == "environment":
            monkeypatch.setenv(name, value)
        else:
            with (project / ".env").open("a") as file:
                file.write(f"{name}='{value}'\n")
    assert erp_of(Settings()) == f"mssql+pyodbc://reader:%40{SECRET}%2F%3A%25@erp.example.com:1434/soi107"
    assert parse_database_url(erp_of(Settings()) or "").password == OLD_ERP["DB_PASSWORD2"]


def test_the_old_variables_do_not_need_kind_and_port(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DB_HOST2", "DB_DATABASE2", "DB_USERNAME2"):
        monkeypatch.setenv(name, OLD_ERP[name])
    monkeypatch.setenv("DB_PASSWORD2", "secret")
    monkeypatch.setenv("DB_PORT2", "")
    assert erp_of(Settings()) == "mssql+pyodbc://reader:secret@erp.example.com:1433/soi107"
    monkeypatch.setenv("DB_HOST2", "ERP\\SQLEXPRESS")
    assert parse_database_url(erp_of(Settings()) or "").host == "ERP\\SQLEXPRESS"
    assert parse_database_url(erp_of(Settings()) or "").port is None


@pytest.mark.parametrize("where", ["environment", "file", "argument"])
def test_the_old_variables_are_ignored_if_the_url_is_set(
    where: str, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DB_HOST2", "only this one, and wrong")
    url, values = "mysql://me:x@h/erp", {}
    if where == "environment":
        monkeypatch.setenv("LEDGER_ERP_URL", url)
    elif where == "file":
        (project / ".env").write_text(f"LEDGER_ERP_URL={url}\n")
    else:
        values = {"erp_url": url}
    assert erp_of(Settings(**values)) == url


@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        ({"DB_PASSWORD2": ""}, "DB_PASSWORD2: not set, though DB_CONNECTION2, DB_HOST2, DB_PORT2, DB_DATABASE2"),
        ({"DB_CONNECTION2": "mysql"}, "DB_CONNECTION2: is not sqlsrv; for another kind of database, set LEDGER_ERP"),
        ({"DB_PORT2": "tcp"}, "DB_PORT2: 'tcp' is not a port. Example: DB_PORT2=1433"),
        (
            {"DB_HOST2": f"reader:{SECRET}@host"},
            "DB_HOST2: is not a host name or address, or one followed by \\INSTANCE",
        ),
    ],
)
def test_wrong_old_variables(changed: dict[str, str], problem: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {**OLD_ERP, **changed}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as error:
        Settings()
    assert problem in str(error.value)
    assert len(str(error.value).splitlines()) == 3
    assert SECRET not in str(error.value) + repr(error.value)
