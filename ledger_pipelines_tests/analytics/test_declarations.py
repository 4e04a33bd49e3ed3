"""The views in the database are those declared: their queries, columns, types and comments."""

from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from ledger_pipelines.analytics.views import VIEWS, creation
from ledger_pipelines.warehouse import schema, tables
from ledger_pipelines.warehouse.engine import warehouse_engine
from ledger_pipelines.warehouse.views import SCHEMA, View
from ledger_pipelines_tests.pipeline import WIB
from ledger_pipelines_tests.servers import fresh_warehouse

_DEFINITIONS = (
    "SELECT c.relname, pg_get_viewdef(c.oid), obj_description(c.oid), a.attname, col_description(c.oid, a.attnum), "
    "format_type(a.atttypid, a.atttypmod) "
    "FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 "
    f"WHERE c.relnamespace = '{SCHEMA}'::regnamespace AND c.relkind = 'v' ORDER BY c.relname, a.attnum"
)


@pytest.fixture(scope="module")
def engine(embedded_url: sa.URL) -> Iterator[sa.Engine]:
    """A warehouse as the migrations leave it."""
    with fresh_warehouse(embedded_url) as url:
        made = warehouse_engine(url, WIB)
        yield made
        made.dispose()


def definitions(connection: sa.Connection) -> list[tuple[str, ...]]:
    """Every column of every view, with the view's query and the comments."""
    return [tuple(row) for row in connection.exec_driver_sql(_DEFINITIONS)]


def test_the_migrations_make_what_is_declared(engine: sa.Engine) -> None:
    """After changing a declaration, a migration drops the view and creates it as `analytics.views.creation` says."""
    with engine.connect() as connection:
        migrated = definitions(connection)
        connection.exec_driver_sql(f"DROP SCHEMA {SCHEMA} CASCADE; CREATE SCHEMA {SCHEMA}; {creation()}")
        assert migrated == definitions(connection)
        connection.rollback()
    assert {row[0] for row in migrated} == {view.name for view in VIEWS}


@pytest.mark.parametrize("view", VIEWS, ids=lambda view: view.name)
def test_columns_and_comments_are_as_declared(engine: sa.Engine, view: View) -> None:
    with engine.connect() as connection:
        found = [row for row in definitions(connection) if row[0] == view.name]
    assert {row[2] for row in found} == {view.comment}
    assert {row[3]: row[4] for row in found} == view.columns
    declared = [type_name(column.type.compile(engine.dialect)) for column in view.table.columns]
    assert [type_name(row[5]) for row in found] == declared


def type_name(found: str) -> str:
    """A type without its digits: a sum has none, and whether it is said that a text has at most seven is no matter."""
    word = found.partition("(")[0].partition(" COLLATE")[0].lower()
    return {"character varying": "varchar", "timestamp": "timestamp with time zone"}.get(word, word)


def test_the_downgrade_drops_them_all(engine: sa.Engine) -> None:
    from alembic import command

    with engine.connect() as connection:
        config = schema.alembic_config(connection)
        command.downgrade(config, "0006")
        assert definitions(connection) == []
        connection.rollback()
        command.upgrade(config, "head")
        connection.commit()
        assert definitions(connection) != []


def test_every_bare_name_is_one_thing() -> None:
    """Whatever the order of the search_path: no view is called as a table, no two tables are called the same."""
    names = [*(table.name for table in tables.metadata.sorted_tables), *(view.name for view in VIEWS)]
    assert len(names) == len(set(names))


def test_a_column_without_a_comment_is_refused() -> None:
    query = sa.select(tables.customers.c.customer_id, tables.customers.c.name)
    with pytest.raises(ValueError, match="the columns of odd are"):
        View("odd", "Odd", query, {"customer_id": "The customer"})
