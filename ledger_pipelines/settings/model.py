"""Settings: the name, default and rule of each `LEDGER_…` variable."""

import re
from datetime import datetime
from decimal import Decimal
from functools import cache
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from pydantic import Field, SecretStr, ValidationError, ValidationInfo, field_validator
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, SettingsConfigDict

from ledger_pipelines.horizon import is_month
from ledger_pipelines.settings.addresses import AnyUrl, PostgresqlUrl, is_origin, split_list
from ledger_pipelines.settings.erp_schema import parse_erp_schemas
from ledger_pipelines.settings.old_erp import HOST, OLD_ERP_VARIABLES, old_erp_problems, old_erp_url
from ledger_pipelines.settings.problems import SettingsError, named_item, quoted, settings_message
from ledger_pipelines.settings.variables import (
    PREFIX,
    non_empty_variables,
    project_folder,
    unknown_variables,
    variable_name,
)

EARLIEST_FIRST_MONTH = "1970-01"
"""Earliest accepted first month. An earlier one is a typing error: each month is a partition."""

_SHORTEST_SECRET = 16
_VISIBLE = re.compile(r"[!-~]+")
_Port = Annotated[int, Field(ge=1, le=65535)]


class Settings(BaseSettings):
    """All settings, read from the arguments, then `LEDGER_…` variables, then `.env`.

    `.env` is read from the current folder and from the project's folder. An empty variable counts as not set. The
    variables of the old system (`OLD_ERP_VARIABLES`) may set the address of the ERP. Error messages quote each field's
    description, which states the required form, and its example.

    Raises:
        SettingsError: At least one value is wrong, or a variable named `LEDGER_…` is unknown.
    """

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_ignore_empty=True,
        extra="ignore",  # `.env` may hold other programs' variables; __init__ reports unknown LEDGER_ variables
        frozen=True,
        hide_input_in_errors=True,
        validate_default=True,
    )

    home: Path = Field(
        default=Path(".ledger"),
        description="a folder, absolute or relative to the project's",
        examples=[".ledger"],
    )
    warehouse_url: PostgresqlUrl | None = Field(
        default=None,
        description="the URL of a PostgreSQL database",
        examples=["postgresql://ledger:secret@db.example.com:5432/warehouse"],
    )
    billing_url: AnyUrl | None = Field(
        default=None,
        description="the URL of a database",
        examples=["mysql+pymysql://reader:secret@billing.example.com:3306/billing"],
    )
    erp_url: AnyUrl | None = Field(
        default=None,
        description="the URL of a database",
        examples=["mssql+pyodbc://reader:secret@erp.example.com:1433/erp?driver=FreeTDS"],
    )
    erp_schema: str | None = Field(
        default=None,
        description="a schema, or items schema.table, separated by commas",
        examples=["dbo,sales.so_invoice_line"],
    )
    dagster_url: PostgresqlUrl | None = Field(
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
    ui_origins: str | None = Field(
        default=None,
        description="origins (scheme://host:port), separated by commas",
        examples=["https://dagster.example.com"],
    )
    ui_port: _Port = Field(default=3000, description="a port from 1 to 65535", examples=["3000"])
    code_server_port: _Port = Field(default=4266, description="a port from 1 to 65535", examples=["4266"])
    db_port: _Port = Field(default=54329, description="a port from 1 to 65535", examples=["54329"])
    api_host: str = Field(
        default="127.0.0.1", description="a host name or an address of this machine", examples=["127.0.0.1"]
    )
    api_port: _Port = Field(default=8000, description="a port from 1 to 65535", examples=["8000"])
    api_cors_origins: str | None = Field(
        default=None,
        description="origins (scheme://host:port), separated by commas",
        examples=["https://portal.example.com,https://office.example.com"],
    )
    api_trusted_proxies: str | None = Field(
        default=None, description="addresses or networks, separated by commas", examples=["127.0.0.1,10.0.0.0/8"]
    )
    billing_statement_timeout_seconds: int = Field(
        default=600, ge=1, le=86400, description="a number of seconds from 1 to 86400", examples=["600"]
    )
    erp_statement_timeout_seconds: int = Field(
        default=600, ge=1, le=86400, description="a number of seconds from 1 to 86400", examples=["600"]
    )
    erp_shrink_share: Decimal = Field(
        default=Decimal("0.05"), ge=0, le=1, description="a share from 0 to 1", examples=["0.05"]
    )
    erp_shrink_rows: int = Field(default=20, ge=1, description="a number of rows, 1 or more", examples=["20"])
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
        problems = unknown_variables(files, values, list(Settings.model_fields))
        given = non_empty_variables(files)
        if "erp_url" not in values and variable_name("erp_url") not in given:
            old = {name: given[name] for name in OLD_ERP_VARIABLES if name in given}
            old_problems = old_erp_problems(old)
            problems += old_problems
            values |= {"erp_url": old_erp_url(old)} if old and not old_problems else {}
        try:
            super().__init__(_env_file=files, **values)
        except ValidationError as error:
            problems += [_problem_of(detail) for detail in error.errors(include_url=False)]
        # Not raised inside the except block, which would attach pydantic's error, with the values, as the context.
        if problems:
            raise SettingsError(settings_message(problems))

    @field_validator("home")
    @classmethod
    def _absolute(cls, value: Path) -> Path:
        """Return the absolute folder, so that every process of the project uses the same one."""
        try:
            folder = (project_folder() / value.expanduser()).resolve()
            if folder.exists() and not folder.is_dir():
                raise ValueError("is a file, not a folder")
        except (OSError, RuntimeError) as error:  # too long, unreadable, a loop of links, or an unknown user
            reason = error.strerror if isinstance(error, OSError) else error
            raise ValueError(f"cannot be a folder: {reason}") from None
        return folder

    @field_validator("erp_schema")
    @classmethod
    def _schemas(cls, value: str | None) -> str | None:
        """Validate that each item is well-formed and that no table has two schemas."""
        parse_erp_schemas(value)
        return value

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        """Validate that the name is in the IANA list."""
        try:
            ZoneInfo(value)
        except (KeyError, ValueError, OSError):
            raise ValueError("is not a time zone of the IANA list") from None
        return value

    @field_validator("first_month")
    @classmethod
    def _past_month(cls, value: str, info: ValidationInfo) -> str:
        """Validate that the value is a month and not after the current month in the zone."""
        if not is_month(value):
            raise ValueError("is not a month written as YYYY-MM")
        if value < EARLIEST_FIRST_MONTH:
            raise ValueError(f"is before {EARLIEST_FIRST_MONTH}")
        zone = info.data.get("timezone")  # absent if the time zone itself is wrong
        if zone is not None and value > f"{datetime.now(ZoneInfo(zone)):%Y-%m}":
            raise ValueError(f"is after the current month in {zone}")
        return value

    @field_validator("ui_host", "api_host")
    @classmethod
    def _host(cls, value: str) -> str:
        """Validate that the value is a host name or address only."""
        if not HOST.fullmatch(value):
            raise ValueError("is not a host name or address (without scheme and port)")
        return value

    @field_validator("code_server_port", "db_port", "api_port")
    @classmethod
    def _port_of_its_own(cls, value: int, info: ValidationInfo) -> int:
        """Validate that the port differs from the other ports."""
        for name in ("ui_port", "code_server_port", "db_port"):
            if info.data.get(name) == value:
                raise ValueError(f"is the same port as {variable_name(name)}")
        return value

    @field_validator("ui_origins", "api_cors_origins")
    @classmethod
    def _origins(cls, value: str | None) -> str | None:
        """Validate that each origin is written as browsers send it."""
        for origin in split_list(value):
            if not is_origin(origin):
                form = "scheme://host, or scheme://host:port if the port is not the default"
                raise ValueError(f"has {named_item(origin, value or '')}, which is not an origin: {form}")
        return value

    @field_validator("api_trusted_proxies")
    @classmethod
    def _networks(cls, value: str | None) -> str | None:
        """Validate that each proxy is an address or a network."""
        for proxy in split_list(value):
            try:
                ip_network(proxy)
            except ValueError:
                shown = named_item(proxy, value or "")
                raise ValueError(f"has {shown}, which is neither an address nor a network") from None
        return value

    @field_validator("alert_webhook_url")
    @classmethod
    def _web_page(cls, value: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        """Validate that the URL accepts posts and that a secret to sign them is set."""
        if value is None:
            return None
        try:
            url = urlsplit(value.get_secret_value())
            usable = url.scheme in {"http", "https"} and bool(url.hostname) and url.port != 0
        except ValueError:
            usable = False
        if not usable or url.username is not None or not _VISIBLE.fullmatch(value.get_secret_value()):
            raise ValueError("is not a URL that begins with http:// or https://, without a user name or blanks")
        if info.data.get("alert_webhook_secret", "wrong itself") is None:
            raise ValueError(f"needs a secret to sign with: set {variable_name('alert_webhook_secret')} too")
        return value

    @property
    def zone(self) -> ZoneInfo:
        """Company's time zone, which sets all month boundaries and displayed times."""
        return ZoneInfo(self.timezone)

    @property
    def erp_schemas(self) -> dict[str, str]:
        """Schema of each table of the ERP; the login's default schema applies to a table without one."""
        return parse_erp_schemas(self.erp_schema)

    @property
    def trusted_ui_origins(self) -> tuple[str, ...]:
        """Origins under which a proxy serves Dagster's web UI; empty by default."""
        return split_list(self.ui_origins)

    @property
    def cors_origins(self) -> tuple[str, ...]:
        """Origins whose pages may call the API; empty by default."""
        return split_list(self.api_cors_origins)

    @property
    def trusted_proxies(self) -> tuple[str, ...]:
        """Proxies that are trusted to report the client's address and scheme; empty by default."""
        return split_list(self.api_trusted_proxies)


@cache
def load_settings() -> Settings:
    """Return the settings of this process, read once.

    Raises:
        SettingsError: At least one value is wrong, or a variable named `LEDGER_…` is unknown.
    """
    return Settings()


def _problem_of(detail: ErrorDetails) -> str:
    """Return the message for a wrong value: the variable, the problem and an example, without secrets."""
    field_name = str(detail["loc"][0])
    field = Settings.model_fields[field_name]
    cause = detail.get("ctx", {}).get("error")
    problem = str(cause) if isinstance(cause, ValueError) else f"is not {field.description}"
    value = "" if field_name.endswith(("_url", "_secret")) else quoted(detail["input"])
    example = (field.examples or [field.default])[0]
    return f"{variable_name(field_name)}: {value}{problem}. Example: {variable_name(field_name)}={example}"
