"""Schemas of the ERP's tables, as `LEDGER_ERP_SCHEMA` lists them."""

import re

from ledger_pipelines.settings.addresses import split_list
from ledger_pipelines.settings.problems import quoted
from ledger_pipelines.sources.erp.catalogue import ERP_TABLES

_NAME = r"""(\[[^][]+\]|[^][.:@"'`]+)"""
_ITEM = re.compile(rf"{_NAME}(?:\.{_NAME})?")


def parse_erp_schemas(value: str | None) -> dict[str, str]:
    """Return the schema of each table of the catalogue that has one: its own, else the default schema of the list.

    Args:
        value: Items separated by commas: `schema.table`, and at most one bare `schema`. Brackets may enclose a name.

    Raises:
        ValueError: An item is malformed, its table is unknown, or two items give a schema to the same tables.
    """
    tables = [table.name for table in ERP_TABLES]
    schemas: dict[str | None, str] = {}
    for item in split_list(value):
        match = _ITEM.fullmatch(item)
        if match is None:
            raise ValueError(f"has an item {quoted(item)}that is neither a schema nor schema.table")
        schema, table = (name and name.strip("[]") for name in match.groups())
        if table is not None and table not in tables:
            raise ValueError(f"has {item}, but the catalogue has no table {table}; it has {', '.join(tables)}")
        if table in schemas:
            twice = "two default schemas" if table is None else f"two schemas of {table}"
            raise ValueError(f"has {twice}, {schemas[table]} and {schema}; keep one of them")
        schemas[table] = schema
    default = schemas.pop(None, None)
    return {table: schema for table in tables if (schema := schemas.get(table, default)) is not None}
