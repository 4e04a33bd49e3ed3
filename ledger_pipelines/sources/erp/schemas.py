"""Schemas of the ERP that hold a table or view of the same name, and the one from which it is read."""

import re
from dataclasses import dataclass

import sqlalchemy as sa

from ledger_pipelines.sources.dialects import server_of
from ledger_pipelines.sources.erp.catalogue import ErpTable


@dataclass(frozen=True)
class TableSchemas:
    """Schemas in which this login sees a table or view of one name; in MySQL and MariaDB, a schema is a database.

    Attributes:
        table: The table.
        names: The schemas in alphabetical order; empty if servers of this kind are not asked.
        read: The schema from which the table is read; None if that lacks the table.
        is_chosen: Whether the settings name the schema; at MySQL and MariaDB, the URL of the ERP does.
    """

    table: ErpTable
    names: tuple[str, ...]
    read: str | None
    is_chosen: bool

    @property
    def is_elsewhere(self) -> bool:
        """Whether the table is missing where it is read, but exists in another schema."""
        return bool(self.names) and self.read is None

    @property
    def listed(self) -> str:
        """The schemas for a message."""
        return f"the {'schema' if len(self.names) == 1 else 'schemas'} {', '.join(self.names)}"

    @property
    def advice_if_missing(self) -> str:
        """What to check or to set if the table is missing where it is read."""
        if self.is_elsewhere:
            return f"It exists in {self.listed}. {self.choices}"
        schema = "" if self.table.schema is None else f", and is {self.table.schema} in LEDGER_ERP_SCHEMA right"
        grant = f"grant this user SELECT on {self.table.full_name}, and nothing else."
        return f"Is LEDGER_ERP_URL the ERP's database{schema}? If so, {grant}"

    @property
    def choices(self) -> str:
        """Advice to name one of the schemas in the settings."""
        written = (name if re.fullmatch(r"\w+", name) else f"[{name}]" for name in self.names)
        settings = " or ".join(f"LEDGER_ERP_SCHEMA={name}.{self.table.name}" for name in written)
        return f"Set {settings}, or the schema alone for all tables."


def schemas_of(connection: sa.Connection, table: ErpTable) -> TableSchemas:
    """Return the schemas that hold a table or view of this name.

    Raises:
        Exception: any error of the driver.
    """
    server = server_of(connection.dialect.name)
    is_read = server.schemas_with(connection, table.name, table.schema)
    read = next((schema for schema, read in is_read.items() if read), None)
    return TableSchemas(table, tuple(is_read), read, table.schema is not None or server.url_names_schema)
