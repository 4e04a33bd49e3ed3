"""Rows that the billing application no longer has: found by comparing ids, and judged by customer.

Within the guard's bounds rows go unasked. Beyond them, a customer who lost more rows than the guard forgives is one
deletion, to be confirmed by itself; what the others lost is judged together, since many small losses are an outage.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import sqlalchemy as sa

from ledger_pipelines import ids
from ledger_pipelines.loading.guard import DeletionGuard, DeletionRefusedError, refused
from ledger_pipelines.loading.staging import Load, Staged
from ledger_pipelines.sources import billing_changes
from ledger_pipelines.sources.billing_app import BillingApp
from ledger_pipelines.sources.billing_changes import Ids
from ledger_pipelines.warehouse import incidents, tables
from ledger_pipelines.warehouse.confirmations import VALID_HOURS, confirmed_rows, forget_confirmed
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
    """Compare all ids of both tables before anything is written.

    Raises:
        DeletionRefusedError: more rows have vanished than may go unasked; it names the customers to be confirmed.
    """
    if load.guard.accept:
        return
    users, customers = _all_vanished(load.source, connection, USERS)
    gone = list(owners_of(connection, USERS, users))
    causes = _causes_of_users(load, connection, gone, customers) + _causes_of_readings(load, connection, gone)
    if causes:
        raise DeletionRefusedError(causes)


def refusal_of_customer(app: BillingApp, connection: sa.Connection, customer_id: int, reason: str = "") -> Cause:
    """Return the cause to be confirmed by itself: what of one customer would go, and the command that confirms it.

    Args:
        app: The billing application.
        connection: To the warehouse.
        customer_id: The customer.
        reason: What the guard said, for where a list has become shorter: no id tells that.
    """
    gone = not app.known_customers([customer_id])
    rows = {qualified(table): _rows_of(connection, table, customer_id) for table in _OF_A_USER if gone}
    rows[qualified(tables.meter_readings)] = len(_lost_readings(app, connection, customer_id, gone=gone))
    rows = {table: count for table, count in rows.items() if count}
    name = connection.scalar(sa.select(tables.customers.c.name).where(tables.customers.c.customer_id == customer_id))
    who = f"Customer {customer_id} ({name})" if name else f"Customer {customer_id}"
    if rows and (gone or not reason or qualified(tables.meter_readings) in reason):
        listed = ", ".join(f"{count:,} row{'s' * (count > 1)} of {table}" for table, count in rows.items())
        lost = (
            "is no customer of the billing application any longer"
            if gone
            else "has lost rows in the billing application"
        )
        said = f"{who} {lost}. This would delete {listed}, more than the guard allows unasked."
        command = f"ledger incidents confirm --customer-id {customer_id} --rows {sum(rows.values())}"
        advice = (
            f"If that is meant, confirm it in the dashboard, or by: {command} (valid for {VALID_HOURS} hours). "
            "Otherwise restore the rows there."
        )
        details = {"rows": {str(customer_id): rows}}
    else:
        said, details = f"{who}: {reason}", {}
        advice = f"If that is meant: ledger balance sync --customer-id {customer_id} --accept-deletions"
    return Cause(
        Kind.DELETION_REFUSED,
        about_customer(customer_id),
        f"{said} The balances of this customer stay as they were.",
        advice,
        customers=[customer_id],
        details=details,
    )


def customers_who_lost_many(
    app: BillingApp, connection: sa.Connection, customers: Collection[int], guard: DeletionGuard
) -> list[int]:
    """Return those of the customers of whom more readings would go than the guard forgives."""
    reading = tables.meter_readings.c
    large = (
        sa.select(reading.customer_id)
        .where(one_of(reading.customer_id, customers))
        .group_by(reading.customer_id)
        .having(sa.func.count() > guard.rows)
    )
    candidates = connection.scalars(large).all()
    still = app.known_customers(candidates) if candidates else frozenset()
    lost = {one: len(_lost_readings(app, connection, one, gone=one not in still)) for one in candidates}
    return [one for one, readings in lost.items() if readings > guard.rows]


def settle(load: Load, connection: sa.Connection) -> None:
    """Close incidents of refused deletions that a load of all months has let pass, but for those of its own run."""
    if not set(load.horizon.months) <= set(load.scope.months):
        return
    customers = load.scope.customers
    subjects = None if customers is None else [*map(about_customer, customers), *EMPTIED]
    incidents.close(connection, [Kind.DELETION_REFUSED], subjects, but_of_run=load.run_id)


def confirmed_deletions(load: Load, connection: sa.Connection, table: sa.Table, staged: Staged) -> dict[str, int]:
    """Count, by month, the rows that a load is about to delete and that a person has confirmed.

    A customer of whom more rows would go than were confirmed counts as not confirmed. What is used up is forgotten: the
    same rows, restored and lost again, are to be confirmed again.
    """
    confirmed = {} if load.guard.accept else confirmed_rows(connection, qualified(table))
    if not confirmed:
        return {}
    by_month = "year_month" in table.c
    month = table.c.year_month if by_month else sa.literal(NO_MONTH)
    # A reading that moves to another month is not gone.
    key = [table.c.reading_id] if table is tables.meter_readings else list(table.primary_key)
    is_read = sa.exists().where(*(staged.rows.c[column.name] == column for column in key))
    covered = [one_of(table.c.customer_id, confirmed), ~one_of(table.c.customer_id, staged.unreadable), ~is_read]
    if by_month:
        covered.append(rows_of(table, load.scope))
    elif load.scope.customers is not None:
        covered.append(one_of(table.c.customer_id, load.scope.customers))
    going = sa.select(table.c.customer_id, month, sa.func.count()).where(*covered).group_by(table.c.customer_id, month)
    found = connection.execute(going).all()
    by_customer: Counter[int] = Counter()
    for customer, _, rows in found:
        by_customer[customer] += rows
    used = [customer for customer, rows in by_customer.items() if rows <= confirmed[customer]]
    forget_confirmed(connection, qualified(table), used)
    months: Counter[str] = Counter()
    for customer, of_month, rows in found:
        if customer in used:
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
    source_id = sa.cast(of_table.subquery().c.source_id, sa.Numeric)
    parts = []
    for column, bound in ((loaded, _usable), (source_id, _as_it_is)):
        statement = sa.select(sa.cast(column, sa.Numeric).label("id"))
        if part.after is not None:
            statement = statement.where(column > bound(part.after))
        parts.append(statement if part.last is None else statement.where(column <= bound(part.last)))
    return sa.union_all(*parts).subquery("known")


def _usable(bound: int) -> int:
    """Return the bound for a column of usable ids, which a BIGINT holds."""
    return int(min(max(bound, 0), ids.LARGEST))


def _as_it_is(bound: int) -> int:
    return bound


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
    here = frozenset(map(ids.whole, connection.scalars(sa.select(known.c.id))))
    there = billing_changes.ids_of(app, table, part)
    return here - there, there - here, len(here)


def owners_of(connection: sa.Connection, table: str, row_ids: Collection[int]) -> dict[int, int]:
    """Return the customer of each of the rows that is loaded; what was rejected is in no figure."""
    loaded = _LOADED[table]
    found = sa.select(loaded, loaded.table.c.customer_id).where(one_of(loaded, row_ids))
    return dict(connection.execute(found).all())


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


def _causes_of_users(load: Load, connection: sa.Connection, gone: Sequence[int], customers: int) -> list[Cause]:
    confirmed = confirmed_rows(connection, qualified(tables.customers))
    found = judge(load.guard, dict.fromkeys(gone, 1), customers, confirmed)
    return [refusal_together(USERS, found.together, customers)] if found.together else []


def _causes_of_readings(load: Load, connection: sa.Connection, gone: Collection[int]) -> list[Cause]:
    """Judge the readings that would go: those whose ids vanished, and all of who is no customer any longer."""
    vanished, before = _all_vanished(load.source, connection, READINGS)
    lost = Counter(owners_of(connection, READINGS, vanished).values())
    reading = tables.meter_readings.c
    of_gone = sa.select(reading.customer_id, sa.func.count()).where(one_of(reading.customer_id, gone))
    for customer, rows in connection.execute(of_gone.group_by(reading.customer_id)):
        few = rows <= load.guard.rows  # more are counted exactly: one that moved to another customer stays
        lost[customer] = rows if few else len(_lost_readings(load.source, connection, customer, gone=True))
    found = judge(load.guard, lost, before, confirmed_rows(connection, qualified(tables.meter_readings)))
    causes = [refusal_of_customer(load.source, connection, customer) for customer in sorted(found.alone)]
    return [*causes, refusal_together(READINGS, found.together, before)] if found.together else causes


def _all_vanished(app: BillingApp, connection: sa.Connection, table: str) -> tuple[list[int], int]:
    """Return the ids of a table that only the warehouse knows, and how many it knows."""
    vanished: list[int] = []
    known, after = 0, None
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


def _lost_readings(app: BillingApp, connection: sa.Connection, customer_id: int, *, gone: bool) -> list[int]:
    """Return the loaded readings that a customer loses; one who is ``gone`` loses all but those of other customers."""
    reading = tables.meter_readings.c
    known = connection.scalars(sa.select(reading.reading_id).where(reading.customer_id == customer_id)).all()
    there = billing_changes.customers_of(app, known)
    return [one for one in known if one not in there or (gone and there[one] == customer_id)]
