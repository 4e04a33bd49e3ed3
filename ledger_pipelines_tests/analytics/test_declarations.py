"""The views in the database equal their declarations: queries, columns, types and comments."""

from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from ledger_pipelines.analytics.views import VIEWS, create_views_sql
from ledger_pipelines.warehouse import tables
from ledger_pipelines.warehouse.views import SCHEMA, View
from ledger_pipelines_tests.support.billing_pipeline import new_warehouse

_DEFINITIONS = (
    "SELECT c.relname, pg_get_viewdef(c.oid), obj_description(c.oid), a.attname, col_description(c.oid, a.attnum), "
    "format_type(a.atttypid, a.atttypmod) "
    "FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 "
    f"WHERE c.relnamespace = '{SCHEMA}'::regnamespace AND c.relkind = 'v' ORDER BY c.relname, a.attnum"
)


@pytest.fixture(scope="module")
def engine(embedded_url: sa.URL) -> Iterator[sa.Engine]:
    """Yield an engine to a warehouse created by the migrations."""
    with new_warehouse(embedded_url) as warehouse:
        yield warehouse


def definitions(connection: sa.Connection) -> list[tuple[str, ...]]:
    """Return every column of every view, with the query and the comments of the view."""
    return [tuple(row) for row in connection.exec_driver_sql(_DEFINITIONS)]


def test_migrations_create_the_declared_views(engine: sa.Engine) -> None:
    """A changed declaration needs a migration that recreates the view with the SQL of `create_views_sql`."""
    with engine.connect() as connection:
        migrated = definitions(connection)
        connection.exec_driver_sql(f"DROP SCHEMA {SCHEMA} CASCADE; CREATE SCHEMA {SCHEMA}; {create_views_sql()}")
        assert migrated == definitions(connection)
        connection.rollback()
    assert {row[0] for row in migrated} == {view.name for view in VIEWS}


@pytest.mark.parametrize("view", VIEWS, ids=lambda view: view.name)
def test_columns_and_comments_equal_the_declaration(engine: sa.Engine, view: View) -> None:
    with engine.connect() as connection:
        found = [row for row in definitions(connection) if row[0] == view.name]
    assert {row[2] for row in found} == {view.comment}
    assert {row[3]: row[4] for row in found} == view.columns
    declared = [type_name(column.type.compile(engine.dialect)) for column in view.table.columns]
    assert [type_name(row[5]) for row in found] == declared


def type_name(found: str) -> str:
    """Return a type without its precision: sums have none, and the length of a text does not matter."""
    name = found.partition("(")[0].partition(" COLLATE")[0].lower()
    return {"character varying": "varchar", "timestamp": "timestamp with time zone"}.get(name, name)


def test_unqualified_names_are_unique() -> None:
    """No two tables or views share a name, so the order of the search_path does not matter."""
    names = [*(table.name for table in tables.metadata.sorted_tables), *(view.name for view in VIEWS)]
    assert len(names) == len(set(names))


def test_a_column_without_a_comment_is_refused() -> None:
    query = sa.select(tables.customers.c.customer_id, tables.customers.c.name)
    with pytest.raises(ValueError, match="the columns of odd are"):
        View("odd", "Odd", query, {"customer_id": "The customer"})
