"""The settings: the one place that reads the environment and `.env`, and says clearly what is wrong there.

Here belong the names, defaults and rules of the `LEDGER_…` variables. What they lead to (addresses of
the embedded server, the environment of a Dagster process) is worked out in `warehouse/servers.py`.
"""

import difflib
import os
import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from dotenv import dotenv_values
from pydantic import AfterValidator, Field, SecretStr, ValidationError, ValidationInfo, field_validator
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, SettingsConfigDict
from sqlalchemy import URL
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError

PREFIX = "LEDGER_"
"""What the name of every variable of ours begins with; the tests' own begin with `LEDGER_TEST_`."""

EARLIEST_FIRST_MONTH = "1970-01"
"""A first month before this one is a slip of the finger: each month is a partition."""

_DRIVERS = {"postgres": "postgresql", "mysql": "mysql+pymysql", "mariadb": "mariadb+pymysql"}
# Kubernetes announces a service called "ledger…" to every container by variables of these shapes.
_SERVICE_LINK = re.compile(r"_SERVICE_(HOST|PORT)|_PORT_\d+_(TCP|UDP)")
_MONTH = re.compile(r"\d{4}-(0[1-9]|1[0-2])")
_SECRET_PARAMETER = re.compile(r"odbc_connect|passw|pwd|secret|token", re.IGNORECASE)
_HOST = re.compile(r"[A-Za-z0-9._-]+|[0-9A-Fa-f:.]+")
_SHORTEST_SECRET = 16
_VISIBLE = re.compile(r"[!-~]+")

OLD_ERP_VARIABLES = (
    "DB_CONNECTION2", "DB_HOST2", "DB_PORT2", "DB_DATABASE2", "DB_USERNAME2", "DB_PASSWORD2",
)  # fmt: skip
"""By these the old system was told where the ERP is; they count where `LEDGER_ERP_URL` is not set."""

_SQL_SERVER_PORT = "1433"
_INSTANCE = re.compile(r"[A-Za-z0-9._-]+\\[A-Za-z0-9_$#-]+")


class SettingsError(Exception):
    """The settings cannot be used; the message names each wrong variable, its fault and a right example."""


def project_folder() -> Path:
    """The folder of the project: the checkout that this package runs from, else the current folder."""
    checkout = Path(__file__).resolve().parent.parent
    if (checkout / "dagster.yaml").is_file() or (checkout / "pyproject.toml").is_file():
        return checkout
    return Path.cwd()


def database_url(text: str) -> URL:
    """The SQLAlchemy URL of a text, with the driver that this project uses (psycopg 3, PyMySQL).

    A password given as a query parameter moves to its own place, where it is masked when shown.

    Raises:
        ValueError: the text is no URL of a database; the message holds no part of it but the scheme.
    """
    scheme, separator, _ = text.partition("://")
    if not separator:
        raise ValueError("is not a database URL (scheme://user:password@host/database)")
    try:
        url = make_url(text)
        url = url.set(drivername=_DRIVERS.get(url.drivername, url.drivername))
        if url.get_backend_name() == "postgresql":
            url = url.set(drivername="postgresql+psycopg")
        url.get_dialect()
    except NoSuchModuleError:
        raise ValueError(f"begins with {scheme}://, which is no kind of database known here") from None
    except (ArgumentError, ValueError):
        raise ValueError("is not a database URL; is the port a number?") from None
    if "@" in (url.host or ""):
        raise ValueError("has more than one @; in a user name or password, write @ as %40, : as %3A and / as %2F")
    for name in ("password", "passwd"):
        given = url.query.get(name)
        if isinstance(given, str):
            url = url.difference_update_query([name]).set(password=given)
    return url


def masked(url: URL) -> str:
    """An address as it may be shown: without any password."""
    hidden = {name: "hidden" for name in url.query if _SECRET_PARAMETER.search(name)}
    return url.update_query_dict(hidden).render_as_string(hide_password=True)


def _any_database(value: SecretStr) -> SecretStr:
    """The value, if it is the URL of a database of any kind."""
    database_url(value.get_secret_value())
    return value


def _postgresql_database(value: SecretStr) -> SecretStr:
    """The value, if it is the URL of a database of a PostgreSQL server."""
    url = database_url(value.get_secret_value())
    if url.get_backend_name() != "postgresql":
        raise ValueError(f"is the URL of a {url.get_backend_name()} database; it must be PostgreSQL")
    if not url.database:
        raise ValueError("names no database; it comes last, after the host and a /")
    return value


_AnyUrl = Annotated[SecretStr, AfterValidator(_any_database)]
_PostgresqlUrl = Annotated[SecretStr, AfterValidator(_postgresql_database)]
_Port = Annotated[int, Field(ge=1, le=65535)]


class Settings(BaseSettings):
    """Everything that can be set, read from the arguments, else `LEDGER_…` variables, else `.env`.

    `.env` is looked for in the current folder and in the project's. An empty variable counts as not set.
    Where the ERP is may also be said by the variables of the old system (`OLD_ERP_VARIABLES`).
    Each field's description says what its value must be, its example is a right one: messages quote both.

    Raises:
        SettingsError: at least one value is wrong, or a variable named `LEDGER_…` is unknown.
    """

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_ignore_empty=True,
        extra="ignore",  # `.env` may hold other programs' variables; unknown ones of ours are found below
        frozen=True,
        hide_input_in_errors=True,
        validate_default=True,
    )

    home: Path = Field(
        default=Path(".ledger"),
        description="a folder, absolute or relative to the project's",
        examples=[".ledger"],
    )
    warehouse_url: _PostgresqlUrl | None = Field(
        default=None,
        description="the URL of a PostgreSQL database",
        examples=["postgresql://ledger:secret@db.example.com:5432/warehouse"],
    )
    billing_url: _AnyUrl | None = Field(
        default=None,
        description="the URL of a database",
        examples=["mysql+pymysql://reader:secret@billing.example.com:3306/billing"],
    )
    erp_url: _AnyUrl | None = Field(
        default=None,
        description="the URL of a database",
        examples=["mssql+pyodbc://reader:secret@erp.example.com:1433/erp?driver=FreeTDS"],
    )
    dagster_url: _PostgresqlUrl | None = Field(
        default=None,
        description="the URL of a PostgreSQL database",
        examples=["postgresql://ledger:secret@db.example.com:5432/warehouse_dagster"],
    )
    timezone: str = Field(default="Asia/Jakarta", description="a time zone of the IANA list", examples=["Asia/Jakarta"])
    first_month: str = Field(
        default="2024-12",
        description="a month as YYYY-MM, not after the current one",
        examples=["2024-12"],
    )
    ui_host: str = Field(
        default="127.0.0.1", description="a host name or an address of this machine", examples=["127.0.0.1"]
    )
    ui_port: _Port = Field(default=3000, description="a port from 1 to 65535", examples=["3000"])
    code_server_port: _Port = Field(default=4266, description="a port from 1 to 65535", examples=["4266"])
    db_port: _Port = Field(default=54329, description="a port from 1 to 65535", examples=["54329"])
    erp_statement_timeout_seconds: int = Field(
        default=600, ge=1, le=86400, description="a number of seconds from 1 to 86400", examples=["600"]
    )
    realtime_objective_seconds: int = Field(
        default=8, ge=1, le=3600, description="a number of seconds from 1 to 3600", examples=["8"]
    )
    deletion_guard_share: Decimal = Field(
        default=Decimal("0.20"), ge=0, le=1, description="a share from 0 to 1", examples=["0.20"]
    )
    deletion_guard_rows: int = Field(default=100, ge=0, description="a number of rows, 0 or more", examples=["100"])
    alert_days: int = Field(default=7, ge=0, le=3650, description="a number of days from 0 to 3650", examples=["7"])
    alert_webhook_secret: SecretStr | None = Field(
        default=None,
        min_length=_SHORTEST_SECRET,
        description=f"a text of at least {_SHORTEST_SECRET} characters",
        examples=["what-openssl-rand-hex-32-prints"],
    )
    alert_webhook_url: SecretStr | None = Field(
        default=None, description="the URL of a web page", examples=["https://alerts.example.com/balances"]
    )

    def __init__(self, **values: Any) -> None:
        files = [folder / ".env" for folder in (project_folder(), Path.cwd())]
        problems = _unknown_variables(files, values)
        given = _given(files)
        if "erp_url" not in values and variable("erp_url") not in given:
            old = {name: given[name] for name in OLD_ERP_VARIABLES if name in given}
            faults = _faults_of_old_erp(old)
            problems += faults
            values |= {"erp_url": _url_of_old_erp(old)} if old and not faults else {}
        try:
            super().__init__(_env_file=files, **values)
        except ValidationError as error:
            problems += [_explained(detail) for detail in error.errors(include_url=False)]
        # Not raised inside the except block: pydantic's error, which holds the values, would hang on ours.
        if problems:
            raise SettingsError(_message(problems))

    @field_validator("home")
    @classmethod
    def _absolute(cls, value: Path) -> Path:
        """The folder, absolute, so that every process of the project means the same one."""
        folder = (project_folder() / value.expanduser()).resolve()
        if folder.exists() and not folder.is_dir():
            raise ValueError("is a file, not a folder")
        return folder

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        """The name, if it is one of the IANA list."""
        try:
            ZoneInfo(value)
        except (KeyError, ValueError, OSError):
            raise ValueError("is no time zone of the IANA list") from None
        return value

    @field_validator("first_month")
    @classmethod
    def _past_month(cls, value: str, info: ValidationInfo) -> str:
        """The month, if it is one and not after the current month in the zone."""
        if not _MONTH.fullmatch(value):
            raise ValueError("is no month written as YYYY-MM")
        if value < EARLIEST_FIRST_MONTH:
            raise ValueError(f"is before {EARLIEST_FIRST_MONTH}")
        zone = info.data.get("timezone")  # absent if it was wrong itself
        if zone is not None and value > f"{datetime.now(ZoneInfo(zone)):%Y-%m}":
            raise ValueError(f"is after the current month in {zone}")
        return value

    @field_validator("ui_host")
    @classmethod
    def _host(cls, value: str) -> str:
        """The name or address, if it is one and nothing more."""
        if not _HOST.fullmatch(value):
            raise ValueError("is no host name or address (without scheme and port)")
        return value

    @field_validator("code_server_port", "db_port")
    @classmethod
    def _port_of_its_own(cls, value: int, info: ValidationInfo) -> int:
        """The port, if none of the ports read before is the same."""
        for name in ("ui_port", "code_server_port"):
            if info.data.get(name) == value:
                raise ValueError(f"is the same port as {variable(name)}")
        return value

    @field_validator("alert_webhook_url")
    @classmethod
    def _web_page(cls, value: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        """The URL, if alerts can be posted there, signed."""
        if value is None:
            return None
        try:
            url = urlsplit(value.get_secret_value())
            usable = url.scheme in {"http", "https"} and bool(url.hostname) and url.port != 0
        except ValueError:
            usable = False
        if not usable or url.username is not None or not _VISIBLE.fullmatch(value.get_secret_value()):
            raise ValueError("is no URL that begins with http:// or https://, without a user name or blanks")
        if info.data.get("alert_webhook_secret", "wrong itself") is None:
            raise ValueError(f"needs a secret to sign with: set {variable('alert_webhook_secret')} too")
        return value

    @property
    def zone(self) -> ZoneInfo:
        """The company's time zone: every month boundary and displayed time is in it."""
        return ZoneInfo(self.timezone)


@cache
def load_settings() -> Settings:
    """The settings of this process, read once.

    Raises:
        SettingsError: at least one value is wrong, or a variable named `LEDGER_…` is unknown.
    """
    return Settings()


def variable(field: str) -> str:
    """The name of the environment variable of a field: `LEDGER_HOME` for `home`."""
    return f"{PREFIX}{field.upper()}"


def _unknown_variables(files: Iterable[Path], values: Mapping[str, Any]) -> list[str]:
    """One problem for each unknown `LEDGER_…` variable of the environment, the files or the arguments."""
    given: dict[str, str | None] = {variable(name): None for name in values}
    for file in files:
        given |= _variables_of_file(file)
    given |= os.environ
    known = [variable(field) for field in Settings.model_fields]
    return [
        f"{name}: is no setting; {_instead_of(name, known)}"
        for name, value in given.items()
        if name.upper().startswith(PREFIX) and name.upper() not in known and not _is_anothers(name, value)
    ]


def _variables_of_file(file: Path) -> Mapping[str, str | None]:
    """The variables of a `.env` file; none if there is no such file."""
    try:
        return dotenv_values(file) if file.is_file() else {}
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text in UTF-8"
        raise SettingsError(f"The settings file {file} cannot be read: {reason}.") from None


def _given(files: Iterable[Path]) -> dict[str, str]:
    """Every variable of the files and the environment that is not empty, by its name in capitals."""
    found: dict[str, str | None] = {}
    for variables in (*map(_variables_of_file, files), os.environ):
        found |= {name.upper(): value for name, value in variables.items()}
    return {name: value for name, value in found.items() if value}


def _faults_of_old_erp(old: Mapping[str, str]) -> list[str]:
    """What is wrong with the old system's variables about the ERP; nothing if none of them is set."""
    faults = []
    optional = ("DB_CONNECTION2", "DB_PORT2")
    missing = [name for name in OLD_ERP_VARIABLES if name not in old and name not in optional]
    if old and missing:
        faults.append(
            f"{', '.join(missing)}: not set, though {', '.join(old)} is; all are needed where LEDGER_ERP_URL is not set"
        )
    if old.get("DB_CONNECTION2", "sqlsrv") != "sqlsrv":
        faults.append("DB_CONNECTION2: is not sqlsrv; write another kind of database as LEDGER_ERP_URL")
    if not re.fullmatch(r"[0-9]{1,5}", old.get("DB_PORT2", _SQL_SERVER_PORT)):
        faults.append(f"DB_PORT2: {_shown(old['DB_PORT2'])}is not a port. Example: DB_PORT2={_SQL_SERVER_PORT}")
    host = old.get("DB_HOST2", "localhost")
    if not _HOST.fullmatch(host) and not _INSTANCE.fullmatch(host):
        faults.append(f"DB_HOST2: {_shown(host)}is no host name or address, nor one with \\INSTANCE after it")
    return faults


def _url_of_old_erp(old: Mapping[str, str]) -> str:
    """The URL that the old system's variables mean; a named instance says its port itself."""
    named = _INSTANCE.fullmatch(old["DB_HOST2"]) is not None
    port = old.get("DB_PORT2") or (None if named else _SQL_SERVER_PORT)
    url = URL.create(
        "mssql+pyodbc",
        username=old["DB_USERNAME2"],
        password=old["DB_PASSWORD2"],
        host=old["DB_HOST2"],
        port=int(port) if port else None,
        database=old["DB_DATABASE2"],
    )
    return url.render_as_string(hide_password=False)


def _is_anothers(name: str, value: str | None) -> bool:
    """Whether the variable, though called `LEDGER_…`, is the tests' or a service link of Kubernetes."""
    return (
        name.upper().startswith(f"{PREFIX}TEST_")
        or _SERVICE_LINK.search(name) is not None
        or (value or "").startswith(("tcp://", "udp://"))
    )


def _instead_of(name: str, known: list[str]) -> str:
    """What to write instead of an unknown name."""
    nearest = difflib.get_close_matches(name.upper(), known, n=1, cutoff=0.7)
    return f"did you mean {nearest[0]}?" if nearest else f"known are {', '.join(known)}"


def _explained(detail: ErrorDetails) -> str:
    """One wrong value in words: the variable, the fault, an example; never a secret."""
    field_name = str(detail["loc"][0])
    field = Settings.model_fields[field_name]
    cause = detail.get("ctx", {}).get("error")
    problem = str(cause) if isinstance(cause, ValueError) else f"is not {field.description}"
    shown = "" if field_name.endswith(("_url", "_secret")) else _shown(detail["input"])
    example = (field.examples or [field.default])[0]
    return f"{variable(field_name)}: {shown}{problem}. Example: {variable(field_name)}={example}"


def _shown(value: object) -> str:
    """The wrong value, unless it may be a URL, with its password, that got into the wrong variable."""
    text = str(value)
    return "" if "://" in text or "@" in text else f"'{text}' "


def _message(problems: list[str]) -> str:
    """All problems as one text."""
    lines = "\n".join(f"  - {problem}" for problem in problems)
    return (
        f"The settings cannot be used:\n{lines}\n"
        "Settings are environment variables, or lines of the file .env in the project's folder; "
        ".env.example lists them all."
    )
