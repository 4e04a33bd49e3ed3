"""The billing application's two tables, as the application itself declares them.

Only the source's tables belong here: the demo creates them, and the reader composes its SELECTs from them. The
records that the pipeline makes of their rows are declared elsewhere. The application is written in Laravel. Hence each
table has `id` and two timestamps, times have no time zone (they are WIB), and no foreign key ties a reading to its
customer.

The same declaration serves MySQL, MariaDB and PostgreSQL.
"""

from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import mysql
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator

from ledger_pipelines import ids


class Id(TypeDecorator[int]):
    """Id of any integer type: BIGINT UNSIGNED in MySQL, NUMERIC in some PostgreSQL databases."""

    impl = sa.BigInteger
    cache_ok = True

    def coerce_compared_value(self, _op: object, _value: object) -> sa.types.TypeEngine[Any]:
        """Compare with the number uncast: a cast to BIGINT fails for larger numbers."""
        return sa.Numeric()

    def process_result_value(self, value: Any, _dialect: Dialect) -> Any:
        """Return a whole number as an integer."""
        return ids.integral_or_same(value) if isinstance(value, Decimal) else value


class JsonText(TypeDecorator[str]):
    """JSON column that SQLAlchemy reads and writes as text.

    The database stores plain JSON. SQLAlchemy does not parse it: a parser would turn every volume and amount into a
    binary float, and the ledger computes with the digits that were written.
    """

    impl = sa.JSON
    cache_ok = True

    def column_expression(self, column: sa.ColumnElement[Any]) -> sa.ColumnElement[str]:
        """Select the column as text, because some drivers parse JSON before SQLAlchemy sees it."""
        return sa.cast(column, sa.Text)

    def bind_processor(self, dialect: Dialect) -> None:
        """Write the text unchanged."""

    def result_processor(self, dialect: Dialect, coltype: object) -> None:
        """Return the text unchanged."""


_PAYMENT_STATES = ("belum_lunas", "lunas")


def _payment_state() -> sa.types.TypeEngine[str]:
    """Return the type that Laravel's `enum()` creates: ENUM in MySQL and MariaDB, text with a check elsewhere."""
    text = sa.Enum(
        *_PAYMENT_STATES,
        name="data_pencatatan_status_pembayaran_check",
        native_enum=False,
        create_constraint=True,
        length=255,
    )
    return text.with_variant(mysql.ENUM(*_PAYMENT_STATES), "mysql", "mariadb")


metadata = sa.MetaData()

users = sa.Table(
    "users",
    metadata,
    sa.Column("id", Id, primary_key=True, autoincrement=True),
    sa.Column("name", sa.String(255), nullable=False),
    sa.Column("email", sa.String(255), nullable=False),
    sa.Column("role", sa.String(255), nullable=False),
    sa.Column("password", sa.String(255), nullable=False),  # never read by the pipeline
    sa.Column("remember_token", sa.String(100)),  # never read by the pipeline
    sa.Column("no_kontrak", sa.String(255)),
    sa.Column("alamat", sa.String(255)),
    sa.Column("nomor_tlpn", sa.String(255)),
    sa.Column("total_deposit", sa.Numeric(15, 2), nullable=False, server_default=sa.text("0")),
    sa.Column("total_purchases", sa.Numeric(15, 2), nullable=False, server_default=sa.text("0")),
    sa.Column("deposit_history", sa.Text),  # JSON, although the column type is text
    sa.Column("pricing_history", JsonText),
    sa.Column("monthly_balances", JsonText),
    sa.Column("harga_per_meter_kubik", sa.Numeric(10, 2)),
    sa.Column("tekanan_keluar", sa.Numeric(10, 3)),
    sa.Column("suhu", sa.Numeric(10, 2)),
    sa.Column("koreksi_meter", sa.Numeric(16, 14)),
    sa.Column("balance_last_updated_at", sa.TIMESTAMP),
    sa.Column("use_realtime_calculation", sa.Boolean, nullable=False, server_default=sa.true()),
    sa.Column("created_at", sa.TIMESTAMP),
    sa.Column("updated_at", sa.TIMESTAMP),
    # Laravel's own migration of `users` makes the address unique. Queries for changed rows need the index on
    # `updated_at` once there are thousands of users.
    sa.Index("users_email_unique", "email", unique=True),
    sa.Index("users_updated_at_index", "updated_at"),
)

data_pencatatan = sa.Table(
    "data_pencatatan",
    metadata,
    sa.Column("id", Id, primary_key=True, autoincrement=True),
    sa.Column("customer_id", Id, nullable=False),
    sa.Column("nama_customer", sa.String(255)),
    sa.Column("data_input", JsonText),
    sa.Column("harga_final", sa.Numeric(15, 2), nullable=False, server_default=sa.text("0")),
    sa.Column("status_pembayaran", _payment_state(), nullable=False, server_default="belum_lunas"),
    sa.Column("created_at", sa.TIMESTAMP),
    sa.Column("updated_at", sa.TIMESTAMP),
    # The first index serves the application's list of a customer's readings, the second the pipeline's polls.
    sa.Index("data_pencatatan_customer_id_index", "customer_id"),
    sa.Index("data_pencatatan_updated_at_index", "updated_at"),
)
