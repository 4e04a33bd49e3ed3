"""Databases of an installation: start the embedded server, create databases, upgrade the schema, connect.

This module does not import Dagster. It creates Dagster's database; Dagster creates the tables in it.
"""

from dataclasses import dataclass

import psycopg
import sqlalchemy as sa
from psycopg import sql

from ledger_pipelines.analytics import role
from ledger_pipelines.databases import InstallationDatabases
from ledger_pipelines.errors import first_line
from ledger_pipelines.settings import Settings, ensure_home, mask_url
from ledger_pipelines.sources.errors import SourceError
from ledger_pipelines.warehouse import database_urls, schema
from ledger_pipelines.warehouse.engine import (
    CONNECT_TIMEOUT_SECONDS,
    translate_connection_errors,
    warehouse_engine,
)
from ledger_pipelines.warehouse.merge import is_any_of
from ledger_pipelines.warehouse.ops.first_computation import record_source, require_same_source
from ledger_pipelines.warehouse.queries.customers.customer import UnknownCustomerError
from ledger_pipelines.warehouse.schema import WarehouseError
from ledger_pipelines.warehouse.tables import customers, monthly_customer_balances


@dataclass(frozen=True)
class Prepared:
    """Result of `prepare_databases`.

    Attributes:
        started: Whether this call started the embedded server.
        version: Version of the warehouse's schema.
    """

    started: bool
    version: str


class Databases(InstallationDatabases):
    """Databases of an installation, with the checks that commands and services share."""

    def check_same_source(self) -> None:
        """Check that the ledger was computed from the billing application that the settings name.

        Raises:
            WarehouseError: the ledger is the demo's and the settings name another application, or the reverse.
        """
        with self.warehouse_connection() as connection:
            require_same_source(connection, self.settings)

    def billing_error(self) -> str | None:
        """Return why the billing application cannot be read, and what to do; None if it can."""
        try:
            self.billing_app().refresh_columns()
        except SourceError as error:
            return str(error)
        return None

    def check_customers_exist(self, ids: tuple[int, ...]) -> None:
        """Check that each id belongs to a customer.

        Raises:
            UnknownCustomerError: some ids belong to no customer of the billing application or of the warehouse.
            SourceError: the billing application's database cannot be read.
            WarehouseError: the warehouse cannot be used.
        """
        known = set(self.billing_app().existing_customers(ids))
        with self.warehouse_connection() as connection:
            for table in (customers, monthly_customer_balances):
                column = table.c.customer_id
                known.update(connection.scalars(sa.select(column).where(is_any_of(column, ids)).distinct()))
        if unknown := [customer_id for customer_id in ids if customer_id not in known]:
            raise UnknownCustomerError(*unknown, in_billing_too=True)


def prepare_databases(settings: Settings) -> Prepared:
    """Start the embedded server if it is used, create missing databases, and upgrade the warehouse's schema.

    Raises:
        SettingsError: LEDGER_HOME cannot be used.
        EmbeddedServerError: the embedded server cannot be started.
        WarehouseError: a database cannot be created or used, or its schema is newer than this program.
    """
    ensure_home(settings.home)
    started = start_embedded(settings) if database_urls.uses_embedded_server(settings) else False
    ensure_dagster_database(settings)
    return Prepared(started, upgrade(settings))


def start_embedded(settings: Settings) -> bool:
    """Start the embedded server and create its databases; return whether this call started it.

    Raises:
        SettingsError: LEDGER_HOME cannot be used.
        EmbeddedServerError: the server cannot be started.
    """
    ensure_home(settings.home)
    server = database_urls.embedded_server(settings)
    started = server.start()
    if settings.warehouse_url is None:
        server.ensure_database(database_urls.WAREHOUSE_DATABASE)
    if database_urls.uses_demo_billing(settings):
        server.ensure_database(database_urls.DEMO_BILLING_DATABASE)
    if database_urls.uses_demo_erp(settings):
        server.ensure_database(database_urls.DEMO_ERP_DATABASE)
    return started


def upgrade(settings: Settings) -> str:
    """Upgrade the warehouse's schema, renew the grants of analysts, and return the version.

    Raises:
        WarehouseError: the warehouse cannot be used, or its schema is newer than this program.
    """
    engine = warehouse_engine(database_urls.warehouse_url(settings), settings.zone)
    try:
        with translate_connection_errors(engine):
            version = schema.upgrade(engine)
            with engine.begin() as connection:
                role.refresh_grants(connection)
                record_source(connection, settings)
            return version
    except sa.exc.ProgrammingError as error:
        raise WarehouseError(
            f"The schema of the warehouse {mask_url(engine.url)} cannot be upgraded: {error.orig} "
            "The user in LEDGER_WAREHOUSE_URL must own the schemas or be allowed to create them."
        ) from error
    finally:
        engine.dispose()


def ensure_dagster_database(settings: Settings) -> bool:
    """Create the database of Dagster's storage unless it exists; return whether this call created it.

    Raises:
        WarehouseError: the database does not exist and cannot be created, or its server is unreachable.
    """
    url = database_urls.dagster_storage_url(settings).set(drivername="postgresql")
    if (reason := connection_error(url)) is None:
        return False
    maintenance = url.set(
        database=database_urls.warehouse_url(settings).database if settings.dagster_url is None else "postgres"
    )
    try:
        with psycopg.connect(_address(maintenance), autocommit=True, connect_timeout=CONNECT_TIMEOUT_SECONDS) as server:
            server.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(url.database or "")))
    except psycopg.errors.DuplicateDatabase:
        pass  # another process created it, or it exists and refuses the connection
    except psycopg.errors.Error as error:
        raise WarehouseError(
            f"Dagster's database {mask_url(url)} cannot be used ({reason}) and cannot be created "
            f"({first_line(error)}). Create it, or set LEDGER_DAGSTER_URL to a database for Dagster, for example "
            "postgresql://ledger:secret@db.example.com:5432/warehouse_dagster."
        ) from error
    if (reason := connection_error(url)) is not None:
        raise WarehouseError(f"Dagster's database {mask_url(url)} cannot be used: {reason}. Check LEDGER_DAGSTER_URL.")
    return True


def connection_error(url: sa.URL) -> str | None:
    """Return why connecting to a PostgreSQL database fails; None if it succeeds."""
    try:
        psycopg.connect(_address(url), connect_timeout=CONNECT_TIMEOUT_SECONDS).close()
    except psycopg.Error as error:
        return first_line(error)
    return None


def _address(url: sa.URL) -> str:
    return url.set(drivername="postgresql").render_as_string(hide_password=False)
