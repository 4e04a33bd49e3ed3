"""Rows deleted in the billing application: found by comparing ids, and checked by customer.

Within the guard's bounds rows are deleted without confirmation. Beyond them, a customer who lost more rows than the
guard's allowance is one deletion, which needs its own confirmation. The losses of all other customers are checked
together, because many small losses indicate an outage.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import sqlalchemy as sa

from ledger_pipelines import ids
from ledger_pipelines.loading.billing.staging import BillingLoad, StagedBatch
from ledger_pipelines.loading.guard import DeletionGuard, DeletionRefusedError, refusal_cause
from ledger_pipelines.sources.billing import changes as billing_changes
from ledger_pipelines.sources.billing.changes import IdRange
from ledger_pipelines.sources.billing.reader import BillingSource
from ledger_pipelines.warehouse import tables
from ledger_pipelines.warehouse.merge import (
    UNPARTITIONED,
    CountsByMonth,
    is_any_of,
    is_in_scope,
    qualified_name,
    total_counts,
)
from ledger_pipelines.warehouse.ops import incidents
from ledger_pipelines.warehouse.ops.confirmations import VALID_HOURS, confirmed_row_counts, delete_confirmations
from ledger_pipelines.warehouse.ops.incidents import IncidentCause, IncidentKind, customer_subject

USERS, READINGS = "users", "data_pencatatan"
#: Subjects of `DeletionGuard.check_not_emptied`, which are also subjects of incidents.
EMPTY_SOURCE_SUBJECTS = ("customers", "readings")
#: Number of ids that one statement compares.
IDS_PER_STATEMENT = 50_000
_USER_TABLES = (tables.customers, tables.prices, tables.deposits)
_ID_COLUMNS = {USERS: tables.customers.c.customer_id, READINGS: tables.meter_readings.c.reading_id}


@dataclass(frozen=True)
class GuardDecision:
    """Decision of the guard about deleted rows.

    Attributes:
        needs_confirmation: Rows by customer, for customers whose deletion needs its own confirmation.
        refused_together: Rows by customer that are refused together; empty if the rest may be deleted.
    """

    needs_confirmation: Mapping[int, int]
    refused_together: Mapping[int, int]


def decide_deletions(
    guard: DeletionGuard, deleted: Mapping[int, int], before: int, confirmed: Mapping[int, int]
) -> GuardDecision:
    """Decide which deleted rows may be deleted from the warehouse too.

    Args:
        guard: Bounds of deletions without confirmation.
        deleted: Number of deleted rows by customer.
        before: Number of rows of all customers before the deletion.
        confirmed: Number of confirmed rows by customer. A confirmation of fewer rows than are deleted is ignored.
    """
    unconfirmed = {customer: rows for customer, rows in deleted.items() if rows > confirmed.get(customer, 0)}
    before -= sum(deleted.values()) - sum(unconfirmed.values())
    if guard.allows(sum(unconfirmed.values()), before):
        return GuardDecision({}, {})
    single = {customer: rows for customer, rows in unconfirmed.items() if rows > guard.rows}
    rest = {customer: rows for customer, rows in unconfirmed.items() if customer not in single}
    return GuardDecision(single, {} if guard.allows(sum(rest.values()), before) else rest)


def check_all_ids(load: BillingLoad, connection: sa.Connection) -> None:
    """Compare all ids of both tables with the source before anything is written.

    Raises:
        DeletionRefusedError: More rows are deleted than the guard allows; the message names the customers to confirm.
    """
    if load.guard.accept:
        return
    users, customers = _deleted_ids(load.source, connection, USERS)
    former = list(owners_of(connection, USERS, users))
    causes = _causes_of_users(load, connection, former, customers) + _causes_of_readings(load, connection, former)
    if causes:
        raise DeletionRefusedError(causes)


def customer_deletion_cause(
    app: BillingSource, connection: sa.Connection, customer_id: int, reason: str = ""
) -> IncidentCause:
    """Return the cause of one customer's refused deletion: the rows that would go, and the command that confirms it.

    Args:
        app: The billing application.
        connection: Connection to the warehouse.
        customer_id: The customer.
        reason: Message of the guard, needed where a history lost entries: entries have no ids to compare.
    """
    is_former = not app.existing_customers([customer_id])
    rows = {qualified_name(table): _rows_of(connection, table, customer_id) for table in _USER_TABLES if is_former}
    rows[qualified_name(tables.meter_readings)] = len(_lost_readings(app, connection, customer_id, is_former=is_former))
    rows = {table: count for table, count in rows.items() if count}
    name = connection.scalar(sa.select(tables.customers.c.name).where(tables.customers.c.customer_id == customer_id))
    customer = f"Customer {customer_id} ({name})" if name else f"Customer {customer_id}"
    if rows and (is_former or not reason or qualified_name(tables.meter_readings) in reason):
        listed = ", ".join(f"{count:,} row{'s' * (count > 1)} of {table}" for table, count in rows.items())
        lost = (
            "is no longer a customer of the billing application"
            if is_former
            else "has lost rows in the billing application"
        )
        problem = f"{customer} {lost}. This would delete {listed}, more than the guard allows without confirmation."
        command = f"ledger incidents confirm --customer-id {customer_id} --rows {sum(rows.values())}"
        advice = (
            f"If this is intended, confirm it in the dashboard or with: {command} (valid for {VALID_HOURS} hours). "
            "Otherwise restore the rows in the billing application."
        )
        details = {"rows": {str(customer_id): rows}}
    else:
        problem, details = f"{customer}: {reason}", {}
        advice = f"If this is intended, run: ledger balance sync --customer-id {customer_id} --accept-deletions"
    return IncidentCause(
        IncidentKind.DELETION_REFUSED,
        customer_subject(customer_id),
        f"{problem} The balances of this customer are unchanged.",
        advice,
        customers=[customer_id],
        details=details,
    )


def customers_with_mass_deletions(
    app: BillingSource, connection: sa.Connection, customers: Collection[int], guard: DeletionGuard
) -> list[int]:
    """Return the customers who would lose more readings than the guard's allowance."""
    reading = tables.meter_readings.c
    large = (
        sa.select(reading.customer_id)
        .where(is_any_of(reading.customer_id, customers))
        .group_by(reading.customer_id)
        .having(sa.func.count() > guard.rows)
    )
    candidates = connection.scalars(large).all()
    still = app.existing_customers(candidates) if candidates else frozenset()
    lost = {
        customer: len(_lost_readings(app, connection, customer, is_former=customer not in still))
        for customer in candidates
    }
    return [customer for customer, readings in lost.items() if readings > guard.rows]


def close_resolved_incidents(load: BillingLoad, connection: sa.Connection) -> None:
    """Close incidents of refused deletions after a load of all months passed, except incidents of the same run."""
    if not set(load.horizon.months) <= set(load.scope.months):
        return
    customers = load.scope.customers
    subjects = None if customers is None else [*map(customer_subject, customers), *EMPTY_SOURCE_SUBJECTS]
    incidents.close(connection, [IncidentKind.DELETION_REFUSED], subjects, except_run=load.run_id)


def confirmed_deletions(
    load: BillingLoad, connection: sa.Connection, table: sa.Table, staged: StagedBatch
) -> dict[str, int]:
    """Count, by month, the confirmed rows that a load is about to delete.

    A confirmation of fewer rows than the customer would lose is ignored. A used confirmation is removed: if the same
    rows are restored and deleted again, they need a new confirmation.
    """
    confirmed = {} if load.guard.accept else confirmed_row_counts(connection, qualified_name(table))
    if not confirmed:
        return {}
    by_month = "year_month" in table.c
    month = table.c.year_month if by_month else sa.literal(UNPARTITIONED)
    # A reading that moves to another month is not deleted.
    key = [table.c.reading_id] if table is tables.meter_readings else list(table.primary_key)
    is_read = sa.exists().where(*(staged.rows.c[column.name] == column for column in key))
    covered = [is_any_of(table.c.customer_id, confirmed), ~is_any_of(table.c.customer_id, staged.unreadable), ~is_read]
    if by_month:
        covered.append(is_in_scope(table, load.scope))
    elif load.scope.customers is not None:
        covered.append(is_any_of(table.c.customer_id, load.scope.customers))
    going = sa.select(table.c.customer_id, month, sa.func.count()).where(*covered).group_by(table.c.customer_id, month)
    found = connection.execute(going).all()
    by_customer: Counter[int] = Counter()
    for customer, _, rows in found:
        by_customer[customer] += rows
    used = [customer for customer, rows in by_customer.items() if rows <= confirmed[customer]]
    delete_confirmations(connection, qualified_name(table), used)
    months: Counter[str] = Counter()
    for customer, year_month, rows in found:
        if customer in used:
            months[year_month] += rows
    return dict(months)


def check_counts(load: BillingLoad, table: sa.Table, counts: CountsByMonth, confirmed: Mapping[str, int]) -> None:
    """Check the rows that a load deleted from a table, in total and in each month.

    Raises:
        DeletionRefusedError: The load would delete too many rows.
    """
    name = qualified_name(table)
    load.guard.check(name, total_counts(counts), confirmed=sum(confirmed.values()))
    for month, count in counts.items():
        load.guard.check(f"{name} of {month}", count, confirmed=confirmed.get(month, 0))


def known_ids(table: str, part: IdRange) -> sa.Subquery:
    """Return a query for the loaded and rejected ids of an id range: one row per id."""
    loaded = _ID_COLUMNS[table]
    rejected = tables.rejected_rows.c
    of_table = sa.select(rejected.source_id).where(rejected.asset == loaded.table.name, rejected.source_table == table)
    source_id = sa.cast(of_table.subquery().c.source_id, sa.Numeric)
    parts = []
    for column, bound in ((loaded, _clamped), (source_id, _unclamped)):
        statement = sa.select(sa.cast(column, sa.Numeric).label("id"))
        if part.after is not None:
            statement = statement.where(column > bound(part.after))
        parts.append(statement if part.last is None else statement.where(column <= bound(part.last)))
    return sa.union_all(*parts).subquery("known")


def _clamped(bound: int) -> int:
    """Return the bound for a BIGINT column, whose ids are all usable."""
    return int(min(max(bound, 0), ids.LARGEST))


def _unclamped(bound: int) -> int:
    return bound


def differing_ids(
    app: BillingSource, connection: sa.Connection, table: str, part: IdRange
) -> tuple[frozenset[int], frozenset[int], int]:
    """Compare the ids of an id range by count and sum, and individually where these differ.

    Returns:
        The ids that only the warehouse has, the ids that only the source has, and the number of ids in the warehouse.
    """
    known = known_ids(table, part)
    count, of_ids = connection.execute(sa.select(sa.func.count(), sa.func.sum(known.c.id)).select_from(known)).one()
    if (count, of_ids or 0) == (part.count, part.total):
        return frozenset(), frozenset(), count
    in_warehouse = frozenset(map(ids.integral_or_same, connection.scalars(sa.select(known.c.id))))
    at_source = billing_changes.ids_in_range(app, table, part)
    return in_warehouse - at_source, at_source - in_warehouse, len(in_warehouse)


def owners_of(connection: sa.Connection, table: str, row_ids: Collection[int]) -> dict[int, int]:
    """Return the customer of each loaded row. Rejected rows are left out, because no figure contains them."""
    loaded = _ID_COLUMNS[table]
    found = sa.select(loaded, loaded.table.c.customer_id).where(is_any_of(loaded, row_ids))
    return dict(connection.execute(found).all())


def mass_deletion_cause(table: str, deleted: Mapping[int, int], before: int) -> IncidentCause:
    """Return the cause of deletions that are refused together because they look like an outage."""
    total_rows = sum(deleted.values())
    reason = (
        f"{total_rows:,} of the {before:,} rows known of {table} are gone from the billing application, from "
        f"{len(deleted):,} customers: that looks like an outage. Nothing was deleted; the balances of these customers "
        "are unchanged."
    )
    cause = refusal_cause(table, reason)
    return replace(cause, customers=[customer for customer in deleted if customer])


def _causes_of_users(
    load: BillingLoad, connection: sa.Connection, former: Sequence[int], customers: int
) -> list[IncidentCause]:
    confirmed = confirmed_row_counts(connection, qualified_name(tables.customers))
    found = decide_deletions(load.guard, dict.fromkeys(former, 1), customers, confirmed)
    return [mass_deletion_cause(USERS, found.refused_together, customers)] if found.refused_together else []


def _causes_of_readings(load: BillingLoad, connection: sa.Connection, former: Collection[int]) -> list[IncidentCause]:
    """Check the readings that would be deleted: deleted ids, and all readings of former customers."""
    deleted, before = _deleted_ids(load.source, connection, READINGS)
    lost = Counter(owners_of(connection, READINGS, deleted).values())
    reading = tables.meter_readings.c
    of_former = sa.select(reading.customer_id, sa.func.count()).where(is_any_of(reading.customer_id, former))
    for customer, rows in connection.execute(of_former.group_by(reading.customer_id)):
        few = rows <= load.guard.rows  # larger numbers are counted exactly: readings moved to another customer stay
        lost[customer] = rows if few else len(_lost_readings(load.source, connection, customer, is_former=True))
    found = decide_deletions(
        load.guard, lost, before, confirmed_row_counts(connection, qualified_name(tables.meter_readings))
    )
    causes = [
        customer_deletion_cause(load.source, connection, customer) for customer in sorted(found.needs_confirmation)
    ]
    if found.refused_together:
        causes.append(mass_deletion_cause(READINGS, found.refused_together, before))
    return causes


def _deleted_ids(app: BillingSource, connection: sa.Connection, table: str) -> tuple[list[int], int]:
    """Return the ids of a table that only the warehouse has, and the number of ids in the warehouse."""
    deleted: list[int] = []
    known, after = 0, None
    while True:
        part = billing_changes.next_id_range(app, table, after, IDS_PER_STATEMENT)
        in_range, _, count = differing_ids(app, connection, table, part)
        deleted += in_range
        known += count
        if part.last is None:
            return deleted, known
        after = part.last


def _rows_of(connection: sa.Connection, table: sa.Table, customer_id: int) -> int:
    counted = sa.select(sa.func.count()).select_from(table).where(table.c.customer_id == customer_id)
    return connection.scalar(counted) or 0


def _lost_readings(app: BillingSource, connection: sa.Connection, customer_id: int, *, is_former: bool) -> list[int]:
    """Return the loaded readings that a customer loses.

    A former customer (``is_former``) loses all readings except those that now belong to another customer.
    """
    reading = tables.meter_readings.c
    known = connection.scalars(sa.select(reading.reading_id).where(reading.customer_id == customer_id)).all()
    owners = billing_changes.customers_by_reading(app, known)
    return [
        reading_id
        for reading_id in known
        if reading_id not in owners or (is_former and owners[reading_id] == customer_id)
    ]
