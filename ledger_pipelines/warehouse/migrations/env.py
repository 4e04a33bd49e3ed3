"""Alembic's entry point: runs the migrations on the connection that `schema.upgrade` passes."""

import re
from typing import Any

from alembic import context
from sqlalchemy.sql.schema import SchemaItem

from ledger_pipelines.warehouse.tables import SCHEMAS, metadata

_PARTITION = re.compile(r".*_\d{4}_\d{2}(_new)?")


def _is_declared(item: SchemaItem, name: str | None, kind: str, reflected: bool, compare_to: Any) -> bool:
    """Return False for objects created at run time: the monthly partitions and their indexes."""
    del compare_to
    table = getattr(item, "table", item)
    return not (reflected and kind in {"table", "index"} and _PARTITION.fullmatch(getattr(table, "name", name) or ""))


def _run() -> None:
    context.configure(
        connection=context.config.attributes["connection"],
        target_metadata=metadata,
        include_schemas=True,
        include_name=lambda name, kind, _: kind != "schema" or name in SCHEMAS,
        include_object=_is_declared,
        version_table_schema="ops",
        compare_type=True,
    )
    with context.begin_transaction():
        context.run_migrations()


_run()
