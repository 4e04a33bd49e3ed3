"""Rows that the billing application no longer has: found by comparing ids, and judged by customer.

Within the guard's bounds rows go unasked. Beyond them, a customer who lost more rows than the guard forgives is one
deletion, to be confirmed by itself; what the others lost is judged together, since many small losses are an outage.
"""

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

import sqlalchemy as sa

from ledger_pipelines.loading.guard import DeletionGuard, DeletionRefusedError, refused
from ledger_pipelines.loading.staging import Load, Staged
from ledger_pipelines.sources import billing_changes
from ledger_pipelines.sources.billing_app import BillingApp
from ledger_pipelines.sources.billing_changes import Ids
from ledger_pipelines.warehouse import incidents, tables
from ledger_pipelines.warehouse.confirmations import VALID_HOURS, confirmed_rows
from ledger_pipelines.warehouse.incidents import Cause, Kind, about_customer
from ledger_pipelines.warehouse.months import NO_MONTH, CountsByMonth, one_of, qualified, rows_of, total

USERS, READINGS = "users", "data_pencatatan"
#: What `DeletionGuard.check_not_emptied` is asked about.
EMPTIED = ("customers", "readings")
#: How many ids are compared by one statement.
IDS_AT_ONCE = 50_000
_OF_A_USER = (tables.customers, tables.prices, tables.deposits)
_LOADED = {USERS: tables.customers.c.customer_id, READINGS: tables.meter_readings.c.reading_id}


@dataclass(frozen=True)
class Judgement:
    """What the guard says of vanished rows.

    Attributes:
        alone: Rows by customer that are a deletion by themselves, each to be confirmed.
        together: Rows by customer that are refused together; empty: they may go.
    """

    alone: Mapping[int, int]
    together: Mapping[int, int]


def judge(guard: DeletionGuard, vanished: Mapping[int, int], before: int, confirmed: Mapping[int, int]) -> Judgement:
    """Judge the rows that vanished of each customer.

    Args:
        guard: How many may go unasked.
        vanished: Rows by customer.
        before: How many rows there were, of all customers.
        confirmed: How many rows a person has confirmed, by customer. A confirmation of fewer rows counts as none.
    """
    open_ = {customer: rows for customer, rows in vanished.items() if rows > confirmed.get(customer, 0)}
    before -= sum(vanished.values()) - sum(open_.values())
    if guard.allows(sum(open_.values()), before):
        return Judgement({}, {})
    alone = {customer: rows for customer, rows in open_.items() if rows > guard.rows}
    rest = {customer: rows for customer, rows in open_.items() if customer not in alone}
    return Judgement(alone, {} if guard.allows(sum(rest.values()), before) else rest)


def check_source(load: Load, connection: sa.Connection) -> None:
    """Compare all ids of both tables before anything is written, and close the incidents of deletions if all is well.

    Raises:
        DeletionRefusedError: more rows have vanished than may go unasked; it names the customers to be confirmed.
    """
    if not load.guard.accept:
        causes = [*_vanished_users(load, connection), *_vanished_readings(load, connection)]
        if causes:
            raise DeletionRefusedError(causes)
    incidents.close(connection, [Kind.DELETION_REFUSED])


def refusal_of_customer(app: BillingApp, connection: sa.Connection, customer_id: int, reason: str = "") -> Cause:
    """Return the cause to be confirmed by itself: what of one customer would go, and the command that confirms it.

    Args:
        app: The billing application.
        connection: To the warehouse.
        customer_id: The customer.
        reason: What the guard said, for where no id of the customer has vanished: a list may have become shorter.
    """
    gone = not app.known_customers([customer_id])
    rows = {qualified(table): _rows_of(connection, table, customer_id) for table in _OF_A_USER if gone}
    rows[qualified(tables.meter_readings)] = len(_vanished_readings_of(app, connection, customer_id))
    rows = {table: count for table, count in rows.items() if count}
    name = connection.scalar(sa.select(tables.customers.c.name).where(tables.customers.c.customer_id == customer_id))
    who = f"Customer {customer_id} ({name})" if name else f"Customer {customer_id}"
    if rows:
        listed = ", ".join(f"{count:,} rows of {table}" for table, count in rows.items())
        lost = "is gone from the billing application" if gone else "has lost rows in the billing application"
        said = f"{who} {lost}. This would delete {listed}, more than the guard allows unasked."
        command = f"confirm it in the dashboard, or by: ledger incidents confirm --customer-id {customer_id}"
        advice = f"If that is meant, {command} (valid for {VALID_HOURS} hours). Otherwise restore the rows there."
    else:
        said = f"{who}: {reason}"
        advice = f"If that is meant: ledger balance sync --customer-id {customer_id} --accept-deletions"
    return Cause(
        Kind.DELETION_REFUSED,
        about_customer(customer_id),
        f"{said} The balances of this customer stay as they were.",
        advice,
        customers=[customer_id],
        details={"rows": {str(customer_id): rows}} if rows else {},
    )


def customers_who_lost_many(
    app: BillingApp, connection: sa.Connection, customers: Collection[int], guard: DeletionGuard
) -> list[int]:
    """Return those of the customers of whom more readings have vanished than the guard forgives."""
    reading = tables.meter_readings.c
    large = (
        sa.select(reading.customer_id)
        .where(one_of(reading.customer_id, customers))
        .group_by(reading.customer_id)
        .having(sa.func.count() > guard.rows)
    )
    candidates = connection.scalars(large).all()
    return [one for one in candidates if len(_vanished_readings_of(app, connection, one)) > guard.rows]


def settle(load: Load, connection: sa.Connection) -> None:
    """Close the incidents of refused deletions of a load's customers: the guard has let the load pass."""
    if load.scope.customers is not None:
        subjects = [about_customer(customer) for customer in load.scope.customers]
        incidents.close(connection, [Kind.DELETION_REFUSED], [*subjects, *EMPTIED])


def confirmed_deletions(load: Load, connection: sa.Connection, table: sa.Table, staged: Staged) -> dict[str, int]:
    """Count, by month, the rows that a load is about to delete and that a person has confirmed.

    A customer of whom more rows would go than were confirmed counts as not confirmed.
    """
    confirmed = {} if load.guard.accept else confirmed_rows(connection, qualified(table))
    if not confirmed:
        return {}
    by_month = "year_month" in table.c
    month = table.c.year_month if by_month else sa.literal(NO_MONTH)
    is_read = sa.exists().where(*(staged.rows.c[key.name] == key for key in table.primary_key))
    covered = [one_of(table.c.customer_id, confirmed), ~is_read]
    if by_month:
        covered.append(rows_of(table, load.scope))
    elif load.scope.customers is not None:
        covered.append(one_of(table.c.customer_id, load.scope.customers))
    going = sa.select(table.c.customer_id, month, sa.func.count()).where(*covered).group_by(table.c.customer_id, month)
    found = connection.execute(going).all()
    by_customer: Counter[int] = Counter()
    for customer, _, rows in found:
        by_customer[customer] += rows
    months: Counter[str] = Counter()
    for customer, of_month, rows in found:
        if by_customer[customer] <= confirmed[customer]:
            months[of_month] += rows
    return dict(months)


def check_counts(load: Load, table: sa.Table, counts: CountsByMonth, confirmed: Mapping[str, int]) -> None:
    """Ask the guard about what a load did to a table, as a whole and in each month.

    Raises:
        DeletionRefusedError: it would delete too much.
    """
    name = qualified(table)
    load.guard.check(name, total(counts), confirmed=sum(confirmed.values()))
    for month, of in counts.items():
        load.guard.check(f"{name} of {month}", of, confirmed=confirmed.get(month, 0))


def known_ids(table: str, part: Ids) -> sa.Subquery:
    """Return a query of the ids of a stretch that the warehouse knows, as loaded or as rejected: one row an id."""
    loaded = _LOADED[table]
    rejected = tables.rejected_rows.c
    of_table = sa.select(rejected.source_id).where(rejected.asset == loaded.table.name, rejected.source_table == table)
    source_id = sa.cast(of_table.subquery().c.source_id, sa.BigInteger)
    parts = []
    for column in (loaded, source_id):
        statement = sa.select(column.label("id")).where(column > part.after)
        parts.append(statement if part.last is None else statement.where(column <= part.last))
    return sa.union_all(*parts).subquery("known")


def differing_ids(
    app: BillingApp, connection: sa.Connection, table: str, part: Ids
) -> tuple[frozenset[int], frozenset[int], int]:
    """Compare the ids of a stretch by count and sum, and one by one where these disagree.

    Returns:
        The ids that only the warehouse knows, those that only the source has, and how many the warehouse knows.
    """
    known = known_ids(table, part)
    count, of_ids = connection.execute(sa.select(sa.func.count(), sa.func.sum(known.c.id)).select_from(known)).one()
    if (count, of_ids or 0) == (part.count, part.total):
        return frozenset(), frozenset(), count
    here = frozenset(connection.scalars(sa.select(known.c.id)))
    there = billing_changes.ids_of(app, table, part)
    return here - there, there - here, len(here)


def rows_by_customer(connection: sa.Connection, readings: Collection[int]) -> dict[int, int]:
    """Count readings that the warehouse knows by the customer that they are of; those of no customer are of 0."""
    return dict(Counter(customers_of(connection, readings).values()))


def customers_of(connection: sa.Connection, readings: Collection[int]) -> dict[int, int]:
    """Return the customer of each reading that the warehouse knows, loaded or rejected; 0 where it names none."""
    reading, rejected = tables.meter_readings.c, tables.rejected_rows.c
    texts = sa.literal([str(reading_id) for reading_id in readings], sa.ARRAY(sa.Text))
    loaded = sa.select(reading.reading_id, reading.customer_id).where(one_of(reading.reading_id, readings))
    refused_rows = sa.select(
        sa.cast(rejected.source_id, sa.BigInteger), sa.func.coalesce(rejected.customer_id, 0)
    ).where(rejected.asset == tables.meter_readings.name, rejected.source_id == sa.any_(texts))
    return dict(connection.execute(sa.union_all(loaded, refused_rows)).all())


def refusal_together(table: str, vanished: Mapping[int, int], before: int) -> Cause:
    """Return the cause of rows that are refused together, for they look like an outage."""
    total_rows = sum(vanished.values())
    reason = (
        f"{total_rows:,} of the {before:,} rows known of {table} are gone from the billing application, those of "
        f"{len(vanished):,} customers: that looks like an outage. Nothing was deleted; their balances stay as they "
        "were."
    )
    cause = refused(table, reason)
    return replace(cause, customers=[customer for customer in vanished if customer])


def _vanished_users(load: Load, connection: sa.Connection) -> list[Cause]:
    vanished, before = _all_vanished(load.source, connection, USERS)
    found = judge(
        load.guard, dict.fromkeys(vanished, 1), before, confirmed_rows(connection, qualified(tables.customers))
    )
    return [refusal_together(USERS, found.together, before)] if found.together else []


def _vanished_readings(load: Load, connection: sa.Connection) -> list[Cause]:
    vanished, before = _all_vanished(load.source, connection, READINGS)
    by_customer = rows_by_customer(connection, vanished)
    confirmed = confirmed_rows(connection, qualified(tables.meter_readings))
    found = judge(load.guard, by_customer, before, confirmed)
    causes = [refusal_of_customer(load.source, connection, customer) for customer in sorted(found.alone)]
    return [*causes, refusal_together(READINGS, found.together, before)] if found.together else causes


def _all_vanished(app: BillingApp, connection: sa.Connection, table: str) -> tuple[list[int], int]:
    """Return the ids of a table that only the warehouse knows, and how many it knows."""
    vanished: list[int] = []
    known, after = 0, 0
    while True:
        part = billing_changes.stretch(app, table, after, IDS_AT_ONCE)
        gone, _, count = differing_ids(app, connection, table, part)
        vanished += gone
        known += count
        if part.last is None:
            return vanished, known
        after = part.last


def _rows_of(connection: sa.Connection, table: sa.Table, customer_id: int) -> int:
    counted = sa.select(sa.func.count()).select_from(table).where(table.c.customer_id == customer_id)
    return connection.scalar(counted) or 0


def _vanished_readings_of(app: BillingApp, connection: sa.Connection, customer_id: int) -> list[int]:
    """Return the readings of a customer that the billing application no longer has, as anybody's."""
    reading = tables.meter_readings.c
    known = connection.scalars(sa.select(reading.reading_id).where(reading.customer_id == customer_id)).all()
    there = billing_changes.existing(app, READINGS, known)
    return [reading_id for reading_id in known if reading_id not in there]
