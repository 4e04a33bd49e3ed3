"""Which database is where: the settings resolved to addresses, the embedded server's included.

Also the environment that a Dagster process needs, since it consists of the same addresses.
"""

from pydantic import SecretStr
from sqlalchemy import URL

from ledger_pipelines.settings import Settings, SettingsError, database_url, instance_folder, variable
from ledger_pipelines.warehouse.embedded import EmbeddedServer

WAREHOUSE_DATABASE = "warehouse"
"""The warehouse's database in the embedded server."""

DEMO_BILLING_DATABASE = "demo_billing"
"""The demo's billing application in the embedded server."""

DEMO_ERP_DATABASE = "demo_erp"
"""The demo's ERP in the embedded server."""

DAGSTER_SUFFIX = "_dagster"
"""What follows the name of the warehouse's database in the name of Dagster's own."""


NO_ERP = "There is no ERP: LEDGER_ERP_URL is not set."
"""What to say where there is no ERP to sync."""


def embedded_server(settings: Settings) -> EmbeddedServer:
    """The embedded server of these settings, running or not."""
    return EmbeddedServer(settings.home / "postgres", settings.db_port)


def uses_embedded_server(settings: Settings) -> bool:
    """Whether any database of these settings is in the embedded server."""
    return settings.warehouse_url is None or uses_demo_billing(settings)


def uses_demo_billing(settings: Settings) -> bool:
    """Whether the billing application is the demo's: none of one's own is set."""
    return settings.billing_url is None


def uses_demo_erp(settings: Settings) -> bool:
    """Whether the ERP is the demo's: never beside a billing application of one's own."""
    return settings.erp_url is None and uses_demo_billing(settings)


def has_erp(settings: Settings) -> bool:
    """Whether there is an ERP to sync."""
    return settings.erp_url is not None or uses_demo_erp(settings)


def warehouse(settings: Settings) -> URL:
    """The address of the warehouse, for psycopg 3."""
    if settings.warehouse_url is None:
        return embedded_server(settings).url(WAREHOUSE_DATABASE)
    return database_url(settings.warehouse_url.get_secret_value())


def billing(settings: Settings) -> URL:
    """The address of the billing application's database; the demo's if none is set."""
    if settings.billing_url is None:
        return embedded_server(settings).url(DEMO_BILLING_DATABASE)
    return database_url(settings.billing_url.get_secret_value())


def erp(settings: Settings) -> URL:
    """The address of the ERP's database; the demo's if neither it nor the billing application is set.

    Raises:
        SettingsError: there is no ERP.
    """
    if settings.erp_url is not None:
        return database_url(settings.erp_url.get_secret_value())
    if not uses_demo_erp(settings):
        raise SettingsError(
            "There is no ERP to read: LEDGER_ERP_URL is not set, and the demo's is not used beside a billing "
            "application of your own (LEDGER_BILLING_URL). Example: "
            "LEDGER_ERP_URL=mssql+pyodbc://reader:secret@erp.example.com:1433/erp"
        )
    return embedded_server(settings).url(DEMO_ERP_DATABASE)


def dagster_storage(settings: Settings) -> URL:
    """The address of Dagster's storage, for psycopg 2, which its own storage library is made for."""
    if settings.dagster_url is None:
        beside = warehouse(settings)
        url = beside.set(database=f"{beside.database}{DAGSTER_SUFFIX}")
    else:
        url = database_url(settings.dagster_url.get_secret_value())
    return url.set(drivername="postgresql+psycopg2")


def environment(settings: Settings) -> dict[str, str]:
    """The variables that every Dagster process needs, to be laid over the environment that it starts in.

    What is not set stays so: a process resolves it as this one would. Only the address of Dagster's storage
    is resolved, since Dagster itself reads it. The values hold passwords.
    """
    variables = {"DAGSTER_HOME": str(instance_folder(settings.home))}
    for field in Settings.model_fields:
        value = getattr(settings, field)
        if isinstance(value, SecretStr):
            variables[variable(field)] = value.get_secret_value()
        elif value is not None:
            variables[variable(field)] = str(value)
    storage = dagster_storage(settings).render_as_string(hide_password=False)
    return variables | {variable("dagster_url"): storage}
