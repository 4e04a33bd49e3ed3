"""The data dictionary: every table, view and column of the warehouse with its comment, from the declarations."""

from collections.abc import Callable, Iterator, Sequence

import sqlalchemy as sa

from ledger_pipelines.warehouse.tables import SCHEMAS, metadata
from ledger_pipelines.warehouse.views import SCHEMA, View

_DIALECT = sa.make_url("postgresql+psycopg://").get_dialect()()
_INTRODUCTION = """\
# Data dictionary

Every table and view of the warehouse, from the declarations: tables in `ledger_pipelines/warehouse/tables/`, the ERP's
in `ledger_pipelines/sources/erp/catalogue.py`, views in `ledger_pipelines/analytics/`. `ledger db dictionary >
docs/data-dictionary.md` writes this page; a test keeps it current. The same texts are comments in the database."""


def markdown(views: Sequence[View]) -> str:
    """Return the dictionary as Markdown: a section per schema, with a Markdown table for each table and view."""
    sections = (section for schema in SCHEMAS for section in _schema(schema, views if schema == SCHEMA else ()))
    return "\n\n".join([_INTRODUCTION, *sections]) + "\n"


def _schema(schema: str, views: Sequence[View]) -> Iterator[str]:
    yield f"## {schema}"
    for table in metadata.tables.values():
        if table.schema == schema:
            yield f"### {schema}.{table.name}"
            yield f"{table.comment}.{_key(table)}{_months(table)}"
            yield _columns(table, _column)
    for view in views:
        yield f"### {schema}.{view.name}"
        yield f"{view.comment}. A view."
        yield _columns(view.table, _view_column)


def _columns(table: sa.Table, line: Callable[[sa.Column[object]], str]) -> str:
    return "\n".join(["| column | type | meaning |", "|---|---|---|", *map(line, table.columns)])


def _key(table: sa.Table) -> str:
    names = ", ".join(f"`{column.name}`" for column in table.primary_key)
    return f" Key: {names}." if names else " No key: rows may be equal."


def _months(table: sa.Table) -> str:
    return " One partition per month." if table.dialect_options["postgresql"].get("partition_by") is not None else ""


def _column(column: sa.Column[object]) -> str:
    nullable = ", may be null" if column.nullable else ""
    return f"| `{column.name}` | {_kind(column)}{nullable} | {column.comment} |"


def _view_column(column: sa.Column[object]) -> str:
    return f"| `{column.name}` | {_kind(column)} | {column.comment} |"


def _kind(column: sa.Column[object]) -> str:
    return str(column.type.compile(_DIALECT)).partition(" COLLATE")[0].lower()
