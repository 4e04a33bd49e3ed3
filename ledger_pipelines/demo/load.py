"""Seeding of a database with a demo of the billing application; the entry point is `seed_billing`."""

import dataclasses
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from itertools import islice

import sqlalchemy as sa

from ledger_pipelines.demo.accounts import READING_COLUMNS, USER_COLUMNS, DemoAccount
from ledger_pipelines.demo.billing import make_account
from ledger_pipelines.demo.bulk_insert import TextRow, bulk_insert
from ledger_pipelines.demo.customers import DEMO_DOMAIN, make_staff
from ledger_pipelines.demo.faults import FAULT_KINDS, assign_faults
from ledger_pipelines.demo.faults.context import FaultContext
from ledger_pipelines.demo.ownership_marker import OwnershipMarker, commit_unless_transactional_ddl
from ledger_pipelines.demo.plan import BillingDemoPlan, BillingDemoSummary, Timeline
from ledger_pipelines.sources.billing import schema as billing_schema

_TABLES = (billing_schema.users, billing_schema.data_pencatatan)
_BATCH = 20_000  # readings held in memory at a time, about


def seed_billing(
    engine: sa.Engine, plan: BillingDemoPlan, progress: Callable[[int, int], None] | None = None
) -> BillingDemoSummary:
    """Fill a database with a demo of the billing application.

    In PostgreSQL the whole seeding is one transaction. Elsewhere an interrupted run leaves an incomplete demo, which
    the next run refuses unless the plan says `replace`. Memory use does not depend on the number of rows
    (`bulk_insert`).

    Args:
        engine: the database, which may hold other tables, but not the application's.
        plan: size and period of the demo.
        progress: called after each batch with the number of customers written and the total.

    Returns:
        Summary of the database; with `already_there` if an earlier run had made the same demo.

    Raises:
        LedgerError: if the application's tables exist and are no demo's, or are another demo's and the plan does
            not say `replace`. Nothing was changed.
    """
    with engine.connect() as connection:
        if (earlier := _MARKER.clear_earlier_demo(connection, plan)) is not None:
            return dataclasses.replace(BillingDemoSummary(**json.loads(earlier)), already_there=True)
        _MARKER.create(connection, plan)
        summary = _fill(connection, plan, progress or (lambda _done, _all: None))
        _advance_id_sequences(connection)
        _MARKER.finish(connection, json.dumps(dataclasses.asdict(summary)))
        connection.commit()
        return summary


def _users_are_demo_data(connection: sa.Connection, there: list[sa.Table]) -> bool:
    """Return whether `users` still holds the demo, and not real users restored over it."""
    users = billing_schema.users
    if users not in there:
        return True
    from_demo = users.c.email.endswith(DEMO_DOMAIN, autoescape=True)
    any_user, any_demo_user = (
        connection.scalar(sa.select(sa.exists(user_rows)))
        for user_rows in (sa.select(users.c.id), sa.select(users.c.id).where(from_demo))
    )
    return bool(any_demo_user or not any_user)


_MARKER = OwnershipMarker("billing", _TABLES, _users_are_demo_data)


def _fill(connection: sa.Connection, plan: BillingDemoPlan, progress: Callable[[int, int], None]) -> BillingDemoSummary:
    """Write all rows, in batches of customers."""
    timeline = Timeline(plan)
    tally: Counter[str] = Counter()
    fault_counts = {kind.name: 0 for kind in FAULT_KINDS}
    accounts = make_accounts(plan, timeline, fault_counts)
    batch = max(1, min(1_000, _BATCH // (plan.months * plan.readings_per_month)))
    user_rows = [account.row() for account in make_staff(timeline)]
    while user_rows:
        bulk_insert(connection, billing_schema.users, USER_COLUMNS, user_rows)
        commit_unless_transactional_ddl(connection)
        tally["users"] += len(user_rows)
        progress(tally["customers"], plan.customers)
        user_rows = []
        rows = _batch_rows(islice(accounts, batch), user_rows, tally)
        bulk_insert(connection, billing_schema.data_pencatatan, READING_COLUMNS, rows)
        tally["customers"] += len(user_rows)
    return BillingDemoSummary(
        users=tally["users"],
        customers=tally["customers"],
        readings=tally["readings"],
        deposits=tally["deposits"],
        price_entries=tally["price_entries"],
        first_month=plan.first_month,
        last_month=plan.current_month,
        dirt=fault_counts,
    )


def make_accounts(plan: BillingDemoPlan, timeline: Timeline, fault_counts: dict[str, int]) -> Iterator[DemoAccount]:
    """Yield the customers, with their faults; add the number of faults of each kind to `fault_counts`."""
    assigned = assign_faults(plan.customers)
    for index in range(plan.customers):
        account = make_account(index, plan, timeline)
        if kind := assigned.get(index):
            fault_counts[kind.name] += kind.make(FaultContext(account, index, plan, timeline))
        yield account


def _batch_rows(accounts: Iterable[DemoAccount], user_rows: list[TextRow], tally: Counter[str]) -> Iterator[TextRow]:
    """Yield the rows of some accounts' readings; append the accounts' own rows to `user_rows`."""
    for account in accounts:
        user_rows.append(account.row())
        yield from account.reading_rows(tally["readings"] + 1)
        tally["readings"] += len(account.readings)
        tally["deposits"] += len(account.deposits or ())
        tally["price_entries"] += len(account.prices or ())


def _advance_id_sequences(connection: sa.Connection) -> None:
    """Set the id sequences past the demo's ids, which were inserted explicitly."""
    if connection.dialect.name == "postgresql":
        for table in _TABLES:
            sequence = sa.func.pg_get_serial_sequence(table.name, "id")
            connection.execute(sa.select(sa.func.setval(sequence, sa.func.max(table.c.id))).select_from(table))
