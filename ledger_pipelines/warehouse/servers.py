"""Which database is where: the settings resolved to addresses, the embedded server's included.

Also the environment that a Dagster process needs, since it consists of the same addresses.
"""

from pydantic import SecretStr
from sqlalchemy import URL

from ledger_pipelines.settings import Settings, database_url, project_folder, variable
from ledger_pipelines.warehouse.embedded import EmbeddedServer

WAREHOUSE_DATABASE = "warehouse"
"""The warehouse's database in the embedded server."""

DEMO_BILLING_DATABASE = "demo_billing"
"""The demo's billing application in the embedded server."""

DAGSTER_SUFFIX = "_dagster"
"""What follows the name of the warehouse's database in the name of Dagster's own."""


def embedded_server(settings: Settings) -> EmbeddedServer:
    """The embedded server of these settings, running or not."""
    return EmbeddedServer(settings.home / "postgres", settings.db_port)


def uses_embedded_server(settings: Settings) -> bool:
    """Whether any database of these settings is in the embedded server."""
    return settings.warehouse_url is None or settings.billing_url is None


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
    variables = {"DAGSTER_HOME": str(project_folder())}
    for field in Settings.model_fields:
        value = getattr(settings, field)
        if isinstance(value, SecretStr):
            variables[variable(field)] = value.get_secret_value()
        elif value is not None:
            variables[variable(field)] = str(value)
    storage = dagster_storage(settings).render_as_string(hide_password=False)
    return variables | {variable("dagster_url"): storage}
