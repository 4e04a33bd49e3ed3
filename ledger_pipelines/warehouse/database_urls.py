"""Database URLs: the settings resolved to the addresses of the databases, including the embedded server's.

Also the environment variables of a Dagster process, which contain the same addresses.
"""

from pydantic import SecretStr
from sqlalchemy import URL

from ledger_pipelines.embedded_postgres.server import EmbeddedServer
from ledger_pipelines.settings import Settings, SettingsError, instance_folder, parse_database_url, variable_name

WAREHOUSE_DATABASE = "warehouse"
"""Name of the warehouse's database in the embedded server."""

DEMO_BILLING_DATABASE = "demo_billing"
"""Name of the demo billing application's database in the embedded server."""

DEMO_ERP_DATABASE = "demo_erp"
"""Name of the demo ERP's database in the embedded server."""

DAGSTER_SUFFIX = "_dagster"
"""Suffix that turns the name of the warehouse's database into the name of Dagster's database."""


NO_ERP_MESSAGE = "There is no ERP: LEDGER_ERP_URL is not set."
"""Message where there is no ERP to sync."""


def embedded_server(settings: Settings) -> EmbeddedServer:
    """Return the embedded server of these settings, running or not."""
    return EmbeddedServer(settings.home / "postgres", settings.db_port)


def uses_embedded_server(settings: Settings) -> bool:
    """Return whether any database of these settings is in the embedded server."""
    return settings.warehouse_url is None or uses_demo_billing(settings)


def uses_demo_billing(settings: Settings) -> bool:
    """Return whether the billing application is the demo's, because no other is set."""
    return settings.billing_url is None


def uses_demo_erp(settings: Settings) -> bool:
    """Return whether the ERP is the demo's; it is never combined with a user's own billing application."""
    return settings.erp_url is None and uses_demo_billing(settings)


def has_erp(settings: Settings) -> bool:
    """Return whether there is an ERP to sync."""
    return settings.erp_url is not None or uses_demo_erp(settings)


def warehouse_url(settings: Settings) -> URL:
    """Return the URL of the warehouse, for psycopg 3."""
    if settings.warehouse_url is None:
        return embedded_server(settings).url(WAREHOUSE_DATABASE)
    return parse_database_url(settings.warehouse_url.get_secret_value())


def billing_url(settings: Settings) -> URL:
    """Return the URL of the billing application's database; the demo's if none is set."""
    if settings.billing_url is None:
        return embedded_server(settings).url(DEMO_BILLING_DATABASE)
    return parse_database_url(settings.billing_url.get_secret_value())


def erp_url(settings: Settings) -> URL:
    """Return the URL of the ERP's database; the demo's if neither an ERP nor a billing application is set.

    Raises:
        SettingsError: there is no ERP.
    """
    if settings.erp_url is not None:
        return parse_database_url(settings.erp_url.get_secret_value())
    if not uses_demo_erp(settings):
        raise SettingsError(
            "There is no ERP to read: LEDGER_ERP_URL is not set, and the demo's ERP is not used together with a "
            "billing application of your own (LEDGER_BILLING_URL). Example: "
            "LEDGER_ERP_URL=mssql+pyodbc://reader:secret@erp.example.com:1433/erp"
        )
    return embedded_server(settings).url(DEMO_ERP_DATABASE)


def dagster_storage_url(settings: Settings) -> URL:
    """Return the URL of Dagster's storage, for psycopg 2, which dagster-postgres requires."""
    if settings.dagster_url is None:
        url = warehouse_url(settings)
        url = url.set(database=f"{url.database}{DAGSTER_SUFFIX}")
    else:
        url = parse_database_url(settings.dagster_url.get_secret_value())
    return url.set(drivername="postgresql+psycopg2")


def process_environment(settings: Settings) -> dict[str, str]:
    """Return the environment variables that every Dagster process needs in addition to its own environment.

    Settings that are not set stay unset, and the process resolves them like this one. Only the URL of Dagster's storage
    is always resolved, because Dagster itself reads it. The values contain passwords.
    """
    variables = {"DAGSTER_HOME": str(instance_folder(settings.home))}
    for field in Settings.model_fields:
        value = getattr(settings, field)
        if isinstance(value, SecretStr):
            variables[variable_name(field)] = value.get_secret_value()
        elif value is not None:
            variables[variable_name(field)] = str(value)
    storage = dagster_storage_url(settings).render_as_string(hide_password=False)
    return variables | {variable_name("dagster_url"): storage}
