"""Answers of a SQL Server whose ERP has oddities in every table but one, for the server of canned answers."""

from collections.abc import Mapping
from datetime import UTC, datetime

import sqlalchemy as sa

from ledger_pipelines.demo.erp import erp_source_tables
from ledger_pipelines.sources.erp.catalogue import ERP_TABLES, ErpTable, erp_table
from ledger_pipelines.sources.erp.shape import shape_of
from ledger_pipelines.sources.erp.statements import Statements
from ledger_pipelines_tests.support.erp.oddities import ELSEWHERE, FORBIDDEN, TYPED, UNDATED, UNREADABLE
from ledger_pipelines_tests.support.erp.parts import answers
from ledger_pipelines_tests.support.erp.tds_server import DATE, DECIMAL_38_10, INT, NVARCHAR, failure, result

_TYPES: Mapping[str, Mapping[str, str]] = {
    UNREADABLE: {
        "ship_from": "sql_variant",
        "ship_to": "image",
        "line_no": "timestamp",
        "item_desc": "hierarchyid",
        "item_desc2": "CLR type",
    },
    TYPED: {
        "delivery_date": "datetimeoffset(7)",
        "sales_order": "uniqueidentifier",
        "shipment_reference": "xml",
        "receipt_date": "varchar(20)",
        "delivered_qty": "varchar(40)",
        "amount_hc": "float",
        "approved_by": "varchar(20)",
    },
    UNDATED: {"inv_doc_date": "varchar(20)"},
}

_DIALECT = sa.make_url("mssql+pymssql://").get_dialect()()


def odd_answers() -> dict[str, bytes]:
    """Return the answers of a server without snapshots; only `stockbywh` has no oddity."""
    described = {rf"dm_exec_describe_.*\[{table.name}\]": _described(table) for table in ERP_TABLES}
    schemas = {"name": NVARCHAR, "is_read": INT}
    found = {
        rf"(?s)OBJECT_ID.*\b{ELSEWHERE}\b": result(schemas, ("sales", 0)),
        rf"(?s)OBJECT_ID.*\b{TYPED}\b": result(schemas, ("dbo", 1), ("sales", 0)),
        r"sys\.objects": result(schemas, ("dbo", 1)),
    }
    read = {
        rf"(?s)FROM \[{FORBIDDEN}\].*1 = 0": failure(
            229, 14, f"The SELECT permission was denied on the object '{FORBIDDEN}', database 'soi107', schema 'dbo'."
        ),
        "1 = 0": result({"": INT}),
        rf"(?s)count_big.*FROM \[{TYPED}\]": _fingerprint_of_a_huge_amount(),
        "count_big": result({"": INT}),
    }
    return described | found | read | answers(b"", snapshots=0)


def _types_of(table: ErpTable) -> dict[str, str]:
    """Return the type of each column at the server."""
    declared = erp_source_tables[table.name].columns
    types = {column.name: column.type.compile(_DIALECT).lower() for column in declared}
    return {**types, **_TYPES.get(table.name, {})}


def _described(table: ErpTable) -> bytes:
    """Return the server's description of a table; a type of the CLR has no name, not even that of geometry."""
    types = {} if table.name == ELSEWHERE else _types_of(table)
    return result({"name": NVARCHAR, "system_type_name": NVARCHAR}, *types.items())


def _fingerprint_of_a_huge_amount() -> bytes:
    """Return the fingerprint of one row of today, whose amount is not in the sum."""
    table = erp_table(TYPED)
    statements = Statements(table, shape_of(table, "mssql", (16,), _types_of(table)))
    beyond = f"beyond_{list(statements.sum_limits).index('amount')}"
    values = {"day": datetime.now(UTC).date().toordinal() - 1, "row_count": 1, beyond: 1}
    names = statements.fingerprints().selected_columns.keys()
    types = {name: {"day": DATE}.get(name, DECIMAL_38_10 if name.startswith("sum") else INT) for name in names}
    return result(types, tuple(values.get(name, 0) for name in names))
