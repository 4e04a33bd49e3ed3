"""The billing application's two tables with columns that hold more than the ledger does.

Ids are BIGINT UNSIGNED in MariaDB, as Laravel makes them, and NUMERIC in PostgreSQL; numbers, texts and moments have
all the room that the server gives, and everything but the keys may be NULL.
"""

import sqlalchemy as sa
from sqlalchemy.dialects import mysql

from ledger_pipelines.sources import billing_schema

_MYSQL = ("mysql", "mariadb")
_ID = sa.Numeric(30, 0).with_variant(mysql.BIGINT(unsigned=True), *_MYSQL)
_TEXT = sa.Text().with_variant(mysql.LONGTEXT(), *_MYSQL)
_NUMBER = sa.Numeric().with_variant(mysql.DECIMAL(65, 30), *_MYSQL)
_MOMENT = sa.TIMESTAMP().with_variant(mysql.DATETIME(fsp=6), *_MYSQL)

metadata = sa.MetaData()


def _widened(column: sa.Column[object]) -> sa.Column[object]:
    """A column of the same name, wide enough for anything."""
    if isinstance(column.type, billing_schema.Id):
        return sa.Column(column.name, _ID, primary_key=column.primary_key, autoincrement=False)
    kinds = ((sa.Numeric, _NUMBER), (sa.TIMESTAMP, _MOMENT), (sa.Boolean, sa.Boolean()))
    return sa.Column(column.name, next((wide for kind, wide in kinds if isinstance(column.type, kind)), _TEXT))


for _table in billing_schema.metadata.sorted_tables:
    sa.Table(_table.name, metadata, *map(_widened, _table.columns), mysql_charset="utf8mb4")
