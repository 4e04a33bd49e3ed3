"""Shape of a table at the ERP, read from the server and checked against the catalogue."""

import sqlalchemy as sa
from sqlalchemy.engine import Dialect

from ledger_pipelines.sources.column_types import Family
from ledger_pipelines.sources.dialects import server_of
from ledger_pipelines.sources.erp.catalogue import ErpTable
from ledger_pipelines.sources.erp.schemas import schemas_of
from ledger_pipelines.sources.erp.shape import Shape, missing_columns, shape_of
from ledger_pipelines.sources.erp.statements import Statements
from ledger_pipelines.sources.errors import SourceError, place


def read_shape(connection: sa.Connection, table: ErpTable, url: sa.URL) -> Shape:
    """Return the shape of a table after checking that the table can be read.

    Args:
        connection: Connection to the ERP.
        table: Table of the catalogue, with its schema.
        url: URL of the ERP, for messages.

    Raises:
        SourceError: a check failed.
        Exception: any error of the driver.
    """
    server = server_of(connection.dialect.name)
    found = server.column_types(connection, table.name, table.schema)
    if not found:
        schemas = schemas_of(connection, table)
        if not server.describes_errors and not schemas.is_elsewhere:
            connection.execute(Statements.nothing_of(table)).close()
        raise SourceError(
            f"The ERP {place(url)} has no table or view {table.full_name}, or this user may not see it. "
            f"{schemas.advice_if_missing} Nothing was changed."
        )
    missing = missing_columns(table, found)
    if missing:
        schemas = schemas_of(connection, table)
        right = f" Is it the right one? It exists in {schemas.listed}. {schemas.choices}" if schemas.names[1:] else ""
        raise SourceError(
            f"{table.full_name} of the ERP {place(url)} lacks the {'column' if len(missing) == 1 else 'columns'} "
            f"{', '.join(missing)}. Has the ERP been upgraded?{right} Nothing was changed."
        )
    version = tuple(part for part in connection.dialect.server_version_info or () if isinstance(part, int))
    shape = shape_of(table, server.name, version, found)
    _check_types(connection.dialect, table, shape, url)
    connection.execute(Statements(table, shape).no_rows()).close()
    return shape


def _check_types(dialect: Dialect, table: ErpTable, shape: Shape, url: sa.URL) -> None:
    """Raise an error that names the columns whose values no driver can return exactly, and what to do."""
    unreadable = [name for name in table.names if shape.family(name) is Family.UNREADABLE]
    if not unreadable:
        return
    columns = ", ".join(f"{name} ({shape.columns[name].type})" for name in unreadable)
    written = {dialect.identifier_preparer.quote(shape.columns[name].name): shape.columns[name] for name in unreadable}
    views = ", ".join(f"{shape.server.text_in_view(name, of.type)} AS {name}" for name, of in written.items())
    raise SourceError(
        f"{table.full_name} of the ERP {place(url)} has columns of types that cannot be copied: {columns}. Let a view "
        f"return them as text or numbers, such as {views}, or remove them from the catalogue. Nothing was changed."
    )
