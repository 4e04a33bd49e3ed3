"""The data dictionary: every table and column of the warehouse with its comment, out of the declarations."""

from collections.abc import Iterator

import sqlalchemy as sa

from ledger_pipelines.warehouse.tables import SCHEMAS, metadata

_DIALECT = sa.make_url("postgresql+psycopg://").get_dialect()()
_INTRODUCTION = """\
# Data dictionary

Every table of the warehouse, as its declaration says (`ledger_pipelines/warehouse/tables.py`, for the ERP's tables
`ledger_pipelines/sources/erp_tables.py`). This page is written by `ledger db dictionary > docs/data-dictionary.md`; a
test keeps it current. The same words are in the database as comments."""


def markdown() -> str:
    """The dictionary as Markdown: a section for each schema, a table for each table."""
    return "\n\n".join([_INTRODUCTION, *(section for schema in SCHEMAS for section in _schema(schema))]) + "\n"


def _schema(schema: str) -> Iterator[str]:
    yield f"## {schema}"
    for table in metadata.tables.values():
        if table.schema == schema:
            yield f"### {schema}.{table.name}"
            yield f"{table.comment}.{_key(table)}{_months(table)}"
            yield "\n".join(["| column | type | meaning |", "|---|---|---|", *map(_column, table.columns)])


def _key(table: sa.Table) -> str:
    names = ", ".join(f"`{column.name}`" for column in table.primary_key)
    return f" Key: {names}." if names else " No key: equal rows may be."


def _months(table: sa.Table) -> str:
    return " One partition a month." if table.dialect_options["postgresql"].get("partition_by") is not None else ""


def _column(column: sa.Column[object]) -> str:
    kind = str(column.type.compile(_DIALECT)).partition(" COLLATE")[0].lower()
    nullable = ", may be null" if column.nullable else ""
    return f"| `{column.name}` | {kind}{nullable} | {column.comment} |"
