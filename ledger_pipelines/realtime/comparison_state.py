"""Comparison state of rows, from the source and from the warehouse, as types of `ledger.changes`.

Both sides are normalised, so that a comparison finds only real differences. Timestamps of the last update, and
different spellings of a number or a JSON text, are not differences.
"""

import json
from collections import defaultdict
from collections.abc import Collection, Hashable, Iterable, Mapping
from decimal import Decimal
from enum import Enum
from typing import Any

import sqlalchemy as sa

from ledger_pipelines import ids
from ledger_pipelines.horizon import Horizon, month_of
from ledger_pipelines.ledger.changes import CustomerState, EntryState, ReadingState
from ledger_pipelines.rejection_reasons import ReasonCode
from ledger_pipelines.sources.billing import parsing as billing_rows
from ledger_pipelines.sources.billing import records as billing_records
from ledger_pipelines.sources.billing import rules as billing_rules
from ledger_pipelines.sources.billing.records import CUSTOMER_ROLES, PRICE_FIELDS, Customer, Deposit, Price
from ledger_pipelines.sources.rejection import Rejection
from ledger_pipelines.sources.values import UnusableError
from ledger_pipelines.warehouse import tables
from ledger_pipelines.warehouse.merge import is_any_of

Row = Mapping[str, Any]
_TIMESTAMPS = {"created_at", "updated_at", "balance_last_updated_at"}
_PROFILE_FIELDS = [name for name in Customer._fields if name not in {*_TIMESTAMPS, *PRICE_FIELDS}]
_REJECTION_STATE = ("source_id", "customer_id", "year_month", "reason", "raw_row")
_READING_FIELDS = [name for name in billing_records.MeterReading._fields if name not in _TIMESTAMPS]


class AccountPart(Enum):
    """Part of an account; the value is the asset that lists its rejected rows."""

    CUSTOMER = "customers"
    PRICES = "prices"
    DEPOSITS = "deposits"


ALL_PARTS = frozenset(AccountPart)


def source_accounts(
    rows: Iterable[Row], horizon: Horizon, parts: Collection[AccountPart] = ALL_PARTS
) -> dict[int, CustomerState]:
    """Return the accounts of the customers among rows of `users`, or parts of the accounts."""
    return {row["id"]: _account(row, horizon, parts) for row in rows if row["role"] in CUSTOMER_ROLES}


def warehouse_accounts(
    connection: sa.Connection, wanted: Collection[int], horizon: Horizon, parts: Collection[AccountPart] = ALL_PARTS
) -> dict[int, CustomerState]:
    """Return the accounts of customers in the warehouse, or parts of the accounts."""
    found: dict[int, dict[str, Any]] = defaultdict(dict)
    if AccountPart.CUSTOMER in parts:
        for row in _rows(connection, tables.customers, Customer._fields, wanted):
            customer = Customer._make(row)
            found[customer.customer_id] |= {"profile": _profile(customer), "defaults": _defaults(customer)}
    if AccountPart.PRICES in parts:
        prices = map(Price._make, _rows(connection, tables.prices, Price._fields, wanted))
        _add(found, "prices", ((price.customer_id, _price(price, horizon)) for price in prices))
    if AccountPart.DEPOSITS in parts:
        deposits = map(Deposit._make, _rows(connection, tables.deposits, Deposit._fields, wanted))
        _add(found, "deposits", ((deposit.customer_id, _deposit(deposit)) for deposit in deposits))
    rejections = _account_rejections(connection, wanted, parts)
    _add(found, "rejected", rejections)
    return {customer_id: CustomerState(**fields) for customer_id, fields in found.items()}


def _account_rejections(
    connection: sa.Connection, wanted: Collection[int], parts: Collection[AccountPart]
) -> Iterable[tuple[int, EntryState]]:
    """Yield the id of the customer and the comparison state of each rejection of the customers."""
    table = tables.rejected_rows
    # A customer id that is too large for BIGINT is only in `source_id`.
    beyond = {str(row_id): row_id for row_id in wanted if not ids.fits_bigint(row_id)}
    is_beyond = sa.and_(table.c.source_table == "users", table.c.source_id == sa.any_(_text_array(beyond)))
    compared = (table.c[name] for name in ("asset", *_REJECTION_STATE))
    statement = sa.select(*compared).where(
        table.c.asset.in_([part.value for part in parts]),
        sa.or_(is_any_of(table.c.customer_id, wanted), is_beyond) if beyond else is_any_of(table.c.customer_id, wanted),
    )
    for row in connection.execute(statement):
        content = (row.asset, row.source_id, row.reason, row.raw_row)
        customer_id = beyond[row.source_id] if row.customer_id is None else row.customer_id
        yield customer_id, EntryState(row.year_month, content)


def source_readings(rows: Iterable[Row], horizon: Horizon) -> dict[int, ReadingState]:
    """Return the readings of rows of `data_pencatatan`, usable or not."""
    return {row["id"]: _reading(billing_rows.parse_reading(row, horizon)) for row in rows}


def warehouse_readings(connection: sa.Connection, wanted: Collection[int]) -> dict[int, ReadingState]:
    """Return the readings in the warehouse, loaded or rejected."""
    table, rejected = tables.meter_readings, tables.rejected_rows
    found: dict[int, ReadingState] = {}
    for row in _rows(connection, table, billing_records.MeterReading._fields, wanted, key=table.c.reading_id):
        reading = billing_records.MeterReading._make(row)
        found[reading.reading_id] = _reading(reading)
    by_text = {str(reading_id): reading_id for reading_id in wanted}
    rejections = sa.select(*(rejected.c[name] for name in _REJECTION_STATE)).where(
        rejected.c.asset == table.name,
        rejected.c.source_table == "data_pencatatan",
        rejected.c.source_id == sa.any_(_text_array(by_text)),
    )
    for row in connection.execute(rejections):
        customer_id = ids.UNSTORABLE_ID if row.customer_id is None else row.customer_id
        found[by_text[row.source_id]] = ReadingState(customer_id, row.year_month, (row.reason, row.raw_row))
    return found


def stale_orphan_months(connection: sa.Connection, rows: Iterable[Row]) -> dict[int, str | None]:
    """Return the first month of the orphan readings with an outdated rejection reason, by user.

    A user who is no customer has no account to compare, but the reasons of that user's readings name the role. The
    month is None if a reading has no known month.

    Args:
        connection: To the warehouse.
        rows: Rows of `users`.
    """
    roles = {row["id"]: row["role"] for row in rows if row["role"] not in CUSTOMER_ROLES and ids.fits_bigint(row["id"])}
    if not roles:
        return {}
    rejected = tables.rejected_rows
    statement = sa.select(rejected.c.customer_id, rejected.c.year_month, rejected.c.reason).where(
        rejected.c.asset == tables.meter_readings.name,
        is_any_of(rejected.c.customer_id, roles),
        rejected.c.reason_code.in_([ReasonCode.UNKNOWN_USER.stored, ReasonCode.NOT_A_CUSTOMER.stored]),
    )
    months: dict[int, set[str | None]] = defaultdict(set)
    for user_id, month, reason in connection.execute(statement):
        if reason != str(billing_rows.not_a_customer(user_id, roles[user_id])):
            months[user_id].add(month)
    return {user_id: min(found, key=lambda month: month or "") for user_id, found in months.items()}


def first_reading_months(connection: sa.Connection, customers: Collection[int]) -> dict[int, str]:
    """Return the month of the first reading, by customer; customers without readings are left out."""
    reading = tables.meter_readings.c
    statement = sa.select(reading.customer_id, sa.func.min(reading.year_month)).group_by(reading.customer_id)
    found = connection.execute(statement.where(is_any_of(reading.customer_id, customers)))
    return dict(found.all())


def _rows(
    connection: sa.Connection,
    table: sa.Table,
    names: Iterable[str],
    wanted: Collection[int],
    key: sa.ColumnElement[int] | None = None,
) -> Iterable[sa.Row[Any]]:
    """Return the rows of a table with the wanted ids, which are customer ids unless a key is given; JSON as text."""
    columns = [
        sa.cast(table.c[name], sa.Text) if isinstance(table.c[name].type, sa.JSON) else table.c[name] for name in names
    ]
    is_wanted = is_any_of(table.c.customer_id if key is None else key, wanted)
    return connection.execute(sa.select(*columns).where(is_wanted))


def _text_array(texts: Iterable[str]) -> sa.ColumnElement[Any]:
    return sa.literal(list(texts), sa.ARRAY(sa.Text))


def _add(found: dict[int, dict[str, Any]], name: str, entries: Iterable[tuple[int, EntryState]]) -> None:
    sets: dict[int, set[EntryState]] = defaultdict(set)
    for customer_id, entry in entries:
        sets[customer_id].add(entry)
    for customer_id, of_customer in sets.items():
        found[customer_id][name] = frozenset(of_customer)


def _account(row: Row, horizon: Horizon, parts: Collection[AccountPart]) -> CustomerState:
    try:
        customer = billing_rows.parse_customer(row, horizon)
    except UnusableError as reason:  # prices and deposits of such a row are not used
        rejection = _rejected(AccountPart.CUSTOMER.value, billing_rows.reject_customer(row, reason))
        return CustomerState(rejected=frozenset({rejection} if AccountPart.CUSTOMER in parts else ()))
    fields: dict[str, Any] = {}
    rejected: set[EntryState] = set()
    if AccountPart.CUSTOMER in parts:
        fields |= {"profile": _profile(customer), "defaults": _defaults(customer)}
    histories = (
        (AccountPart.PRICES, "pricing_history", billing_rows.parse_prices),
        (AccountPart.DEPOSITS, "deposit_history", billing_rows.parse_deposits),
    )
    for part, column, read in histories:
        if part not in parts:
            continue
        entries: set[EntryState] = set()
        try:
            for entry in read(row, horizon):
                if isinstance(entry, Rejection):
                    rejected.add(_rejected(part.value, entry))
                else:
                    entries.add(_price(entry, horizon) if isinstance(entry, Price) else _deposit(entry))
            fields[part.value] = frozenset(entries)
        except UnusableError as reason:
            rejected.add(_rejected(part.value, billing_rows.reject_history(row, column, reason)))
            fields[part.value] = None
    return CustomerState(**fields, rejected=frozenset(rejected))


def _profile(customer: Customer) -> Hashable:
    return tuple(getattr(customer, name) for name in _PROFILE_FIELDS)


def _defaults(customer: Customer) -> Hashable:
    return tuple(getattr(customer, name) for name in PRICE_FIELDS)


def _price(price: Price, horizon: Horizon) -> EntryState:
    content = (*price._replace(entry="")[1:], _canonical_json(price.entry))
    return EntryState(month_of(price.valid_from, horizon.zone), content)


def _deposit(deposit: Deposit) -> EntryState:
    return EntryState(deposit.year_month, tuple(deposit[1:]))


def _rejected(asset: str, rejection: Rejection) -> EntryState:
    return EntryState(rejection.year_month, (asset, rejection.source_id, str(rejection.reason), rejection.raw_row))


def _reading(reading: billing_records.MeterReading | Rejection) -> ReadingState:
    customer_id = ids.UNSTORABLE_ID if reading.customer_id is None else reading.customer_id
    if isinstance(reading, Rejection):
        return ReadingState(customer_id, reading.year_month, (str(reading.reason), reading.raw_row))
    failed = billing_rules.find_failures(billing_rules.READINGS, [reading])
    if failed:
        return ReadingState(customer_id, reading.year_month, (str(failed[0]), billing_rows.raw_row(reading._asdict())))
    return ReadingState(customer_id, reading.year_month, tuple(getattr(reading, name) for name in _READING_FIELDS))


def _canonical_json(text: str) -> Hashable:
    """Return a value that is equal for JSON texts that are equal as PostgreSQL's jsonb."""
    return _frozen(json.loads(text, parse_float=Decimal, parse_int=Decimal))


def _frozen(value: Any) -> Hashable:
    if isinstance(value, dict):
        return frozenset((name, _frozen(item)) for name, item in value.items())
    if isinstance(value, list):
        return tuple(_frozen(item) for item in value)
    return str(value) if isinstance(value, bool) else value
