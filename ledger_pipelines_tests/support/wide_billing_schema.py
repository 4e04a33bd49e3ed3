"""The billing application's two tables with columns whose values may exceed the ledger's types.

Ids are BIGINT UNSIGNED in MariaDB, as in Laravel, and NUMERIC in PostgreSQL. Numbers, texts and timestamps have the
widest types of the server, and all columns except the keys are nullable.
"""

import sqlalchemy as sa
from sqlalchemy.dialects import mysql

from ledger_pipelines.sources.billing import schema as billing_schema

_MYSQL = ("mysql", "mariadb")
_ID = sa.Numeric(30, 0).with_variant(mysql.BIGINT(unsigned=True), *_MYSQL)
_TEXT = sa.Text().with_variant(mysql.LONGTEXT(), *_MYSQL)
_NUMBER = sa.Numeric().with_variant(mysql.DECIMAL(65, 30), *_MYSQL)
_MOMENT = sa.TIMESTAMP().with_variant(mysql.DATETIME(fsp=6), *_MYSQL)

metadata = sa.MetaData()


def _widened(column: sa.Column[object]) -> sa.Column[object]:
    """Return a column of the same name with the widest type."""
    if isinstance(column.type, billing_schema.Id):
        return sa.Column(column.name, _ID, primary_key=column.primary_key, autoincrement=False)
    kinds = ((sa.Numeric, _NUMBER), (sa.TIMESTAMP, _MOMENT), (sa.Boolean, sa.Boolean()))
    return sa.Column(column.name, next((wide for kind, wide in kinds if isinstance(column.type, kind)), _TEXT))


for _table in billing_schema.metadata.sorted_tables:
    sa.Table(_table.name, metadata, *map(_widened, _table.columns), mysql_charset="utf8mb4")
