"""ERP databases with oddities in every table but one, read by a login with few rights."""

import uuid
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager

import sqlalchemy as sa

from ledger_pipelines.demo.erp import create_erp_tables, erp_source_tables
from ledger_pipelines.sources.erp.catalogue import ERP_TABLES
from ledger_pipelines_tests.support import servers
from ledger_pipelines_tests.support.erp.second_schema import second_schema

ELSEWHERE = "view_warehouse_order"
UNREADABLE = "view_warehouse_order_line"
TYPED = "so_invoice_line"
FORBIDDEN = "view_prod_header"
UNDATED = "data_receipt_purchase"

_TYPES_OF_POSTGRESQL = {
    UNREADABLE: {"item_desc": "bytea"},
    TYPED: {
        "delivery_date": "timestamp with time zone",
        "receipt_date": "varchar(20)",
        "delivered_qty": "varchar(40)",
        "amount": "double precision",
        "price": "numeric(65, 30)",
    },
    UNDATED: {"inv_doc_date": "varchar(20)"},
}
_TYPES_OF_MARIADB = {
    UNREADABLE: {"item_desc": "blob", "item_desc2": "geometry"},
    TYPED: _TYPES_OF_POSTGRESQL[TYPED] | {"delivery_date": "timestamp NULL", "amount": "double"},
    UNDATED: _TYPES_OF_POSTGRESQL[UNDATED],
}


@contextmanager
def odd_erp(server: sa.URL) -> Iterator[tuple[sa.URL, str]]:
    """Create the ERP's tables on PostgreSQL or MariaDB; only `stockbywh` has no oddity.

    Yields the URL with a login that may not read everything, and the name of the second schema.
    """
    with ExitStack() as stack:
        owner = stack.enter_context(servers.fresh_engine(server))
        is_postgresql = owner.dialect.name == "postgresql"
        create_erp_tables(owner)
        schema = stack.enter_context(second_schema(owner))
        there = owner.execution_options(schema_translate_map={None: schema})
        for name in (ELSEWHERE, TYPED):
            erp_source_tables[name].create(there)
        _run(owner, _changes(is_postgresql))
        login = f"reader_{uuid.uuid4().hex[:12]}"
        url = owner.url.set(username=login, password="s3cret")  # noqa: S106 - of a user made for tests
        if is_postgresql:
            stack.callback(_run, owner, [f"DROP OWNED BY {login}", f"DROP USER {login}"])
            _run(owner, [f"CREATE USER {login} PASSWORD 's3cret'", f"ALTER USER {login} SET timezone = 'UTC'"])
            _run(owner, [f'GRANT USAGE ON SCHEMA "{schema}" TO {login}'])
        else:
            stack.callback(_run, owner, [f"DROP USER {login}"])
            _run(owner, [f"CREATE USER {login} IDENTIFIED BY 's3cret'"])
            url = url.update_query_dict({"init_command": "SET time_zone = '+00:00'"})
        readable = [table.name for table in ERP_TABLES if table.name not in {ELSEWHERE, FORBIDDEN}]
        quoted = owner.dialect.identifier_preparer.quote_identifier(schema)
        readable += [f"{quoted}.{ELSEWHERE}", f"{quoted}.{TYPED}"]
        _run(owner, [f"GRANT SELECT ON {name} TO {login}" for name in readable])
        yield url, schema


def _changes(is_postgresql: bool) -> Iterator[str]:
    """Yield the statements that make the tables odd."""
    types, change = (
        (_TYPES_OF_POSTGRESQL, "ALTER {} TYPE {} USING NULL") if is_postgresql else (_TYPES_OF_MARIADB, "MODIFY {} {}")
    )
    yield f"DROP TABLE {ELSEWHERE}"
    for table, columns in types.items():
        yield f"ALTER TABLE {table} {', '.join(change.format(name, of) for name, of in columns.items())}"
    yield f"ALTER TABLE {TYPED} ADD COLUMN approved_by varchar(20), ADD COLUMN approved_on date"
    yield f"INSERT INTO {TYPED} (delivery_date, price) VALUES (CURRENT_TIMESTAMP, 1{'0' * 31})"


def _run(owner: sa.Engine, statements: Iterable[str]) -> None:
    with owner.begin() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)
