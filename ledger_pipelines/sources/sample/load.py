"""Writing a demo of the billing application into a database; `seed` is the entrance."""

import dataclasses
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from itertools import islice

import sqlalchemy as sa

from ledger_pipelines.sources import billing_schema
from ledger_pipelines.sources.sample.accounts import READING_COLUMNS, USER_COLUMNS, Account
from ledger_pipelines.sources.sample.billing import make_account
from ledger_pipelines.sources.sample.claim import Claim, commit_unless_whole
from ledger_pipelines.sources.sample.customers import DEMO_DOMAIN, staff
from ledger_pipelines.sources.sample.dirt import KINDS, assign_dirt
from ledger_pipelines.sources.sample.dirt.case import Case
from ledger_pipelines.sources.sample.plan import SeedPlan, SeedSummary, Timeline
from ledger_pipelines.sources.sample.writing import Row, write

_TABLES = (billing_schema.users, billing_schema.data_pencatatan)
_BATCH = 20_000  # readings held in memory at a time, at most about so many


def seed(engine: sa.Engine, plan: SeedPlan, progress: Callable[[int, int], None] | None = None) -> SeedSummary:
    """Fill a database with a demo of the billing application.

    In PostgreSQL all of it happens in one transaction. Elsewhere an interrupted run leaves a demo that the next run
    refuses to take for a whole one, and replaces if told to. By psycopg 3 the rows go by COPY, by any other driver by
    multi-row inserts; memory stays flat either way.

    Args:
        engine: the database, which need not be empty but must not have the application's tables.
        plan: what to make.
        progress: called with the number of customers done and to do, now and then.

    Returns:
        What the database holds; with `already_there` if it held just that before.

    Raises:
        SeedRefused: if the application's tables exist and are no demo's, or are another demo's and the plan does not
            say `replace`. Nothing was changed.
    """
    with engine.connect() as connection:
        if (earlier := _CLAIM.make_room(connection, plan)) is not None:
            return dataclasses.replace(SeedSummary(**json.loads(earlier)), already_there=True)
        _CLAIM.create(connection, plan)
        summary = _fill(connection, plan, progress or (lambda _done, _all: None))
        _follow_ids(connection)
        _CLAIM.finish(connection, json.dumps(dataclasses.asdict(summary)))
        connection.commit()
        return summary


def _looks_seeded(connection: sa.Connection, there: list[sa.Table]) -> bool:
    """Say whether `users` is still the demo's, and not a real one that was restored over it."""
    users = billing_schema.users
    if users not in there:
        return True
    from_demo = users.c.email.endswith(DEMO_DOMAIN, autoescape=True)
    anybody, somebody_of_ours = (
        connection.scalar(sa.select(sa.exists(people)))
        for people in (sa.select(users.c.id), sa.select(users.c.id).where(from_demo))
    )
    return bool(somebody_of_ours or not anybody)


_CLAIM = Claim("billing", _TABLES, _looks_seeded)


def _fill(connection: sa.Connection, plan: SeedPlan, progress: Callable[[int, int], None]) -> SeedSummary:
    """Write all rows, customer by customer."""
    timeline = Timeline(plan)
    tally: Counter[str] = Counter()
    dirt = {kind.name: 0 for kind in KINDS}
    accounts = make_accounts(plan, timeline, dirt)
    batch = max(1, min(1_000, _BATCH // (plan.months * plan.readings_per_month)))
    people = [account.row() for account in staff(timeline)]
    while people:
        write(connection, billing_schema.users, USER_COLUMNS, people)
        commit_unless_whole(connection)
        tally["users"] += len(people)
        progress(tally["customers"], plan.customers)
        people = []
        rows = _batch_rows(islice(accounts, batch), people, tally)
        write(connection, billing_schema.data_pencatatan, READING_COLUMNS, rows)
        tally["customers"] += len(people)
    return SeedSummary(
        users=tally["users"],
        customers=tally["customers"],
        readings=tally["readings"],
        deposits=tally["deposits"],
        price_entries=tally["price_entries"],
        first_month=plan.first_month,
        last_month=plan.current_month,
        dirt=dirt,
    )


def make_accounts(plan: SeedPlan, timeline: Timeline, dirt: dict[str, int]) -> Iterator[Account]:
    """Make the customers one after the other, with their share of the dirt, and count the latter."""
    hands = assign_dirt(plan.customers)
    for index in range(plan.customers):
        account = make_account(index, plan, timeline)
        if kind := hands.get(index):
            dirt[kind.name] += kind.make(Case(account, index, plan, timeline))
        yield account


def _batch_rows(accounts: Iterable[Account], people: list[Row], tally: Counter[str]) -> Iterator[Row]:
    """Give the readings of some accounts; put the accounts' own rows, which come second, into `people`."""
    for account in accounts:
        people.append(account.row())
        yield from account.reading_rows(tally["readings"] + 1)
        tally["readings"] += len(account.readings)
        tally["deposits"] += len(account.deposits or ())
        tally["price_entries"] += len(account.prices or ())


def _follow_ids(connection: sa.Connection) -> None:
    """Let new rows follow the demo's ids, which no sequence gave."""
    if connection.dialect.name == "postgresql":
        for table in _TABLES:
            sequence = sa.func.pg_get_serial_sequence(table.name, "id")
            connection.execute(sa.select(sa.func.setval(sequence, sa.func.max(table.c.id))).select_from(table))
