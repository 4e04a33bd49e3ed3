"""Test helpers: warehouses with an analyst's role."""

from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa

from ledger_pipelines.analytics import role
from ledger_pipelines.serving import analysts
from ledger_pipelines.serving.base.databases import Databases
from ledger_pipelines.settings import Settings

PASSWORD = "kata sandi yang panjang"  # noqa: S105 - of a role that lives as long as a test


def databases_of(url: sa.URL) -> Databases:
    """Return the product's `Databases` of a warehouse."""
    address = url.render_as_string(hide_password=False)
    return Databases(Settings(warehouse_url=address, billing_url=address, dagster_url=address))


@contextmanager
def analyst_engine(url: sa.URL) -> Iterator[sa.Engine]:
    """Yield an engine with an analyst's role, which is named after the database and dropped afterwards."""
    name = f"{url.database}_reader"
    with databases_of(url) as databases:
        analysts.create(databases, name, PASSWORD)
        engine = sa.create_engine(url.set(username=name, password=PASSWORD), poolclass=sa.NullPool)
        try:
            yield engine
        finally:
            engine.dispose()
            analysts.drop(databases, name)
            drop_group(databases.warehouse)


def drop_group(warehouse: sa.Engine) -> None:
    """Drop the group role of a warehouse and its grants."""
    with warehouse.begin() as connection:
        group = role.group_role_name(connection)
        connection.exec_driver_sql(f'DROP OWNED BY "{group}"; DROP ROLE "{group}"')
