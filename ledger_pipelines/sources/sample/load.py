"""Writing a demo into a database, and refusing to where something else lives.

`seed` is the entrance. A table of its own, `ledger_demo_seed`, marks a database as a demo's: it says which plan was
carried out and what came of it.
"""

import dataclasses
import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any

import sqlalchemy as sa
from sqlalchemy.schema import CreateTable, DropTable

from ledger_pipelines.sources import billing_schema
from ledger_pipelines.sources.sample.accounts import READING_COLUMNS, USER_COLUMNS, Account, Row
from ledger_pipelines.sources.sample.billing import make_account
from ledger_pipelines.sources.sample.customers import DEMO_DOMAIN, staff
from ledger_pipelines.sources.sample.dirt import KINDS, assign_dirt
from ledger_pipelines.sources.sample.dirt.case import Case
from ledger_pipelines.sources.sample.plan import SeedPlan, SeedRefused, SeedSummary, Timeline

_TABLES = (billing_schema.users, billing_schema.data_pencatatan)
_BATCH = 20_000  # readings held in memory at a time, at most about so many
_INSERT = 1_000  # rows in an INSERT; a statement must stay well below MySQL's max_allowed_packet
_COPY = 250  # rows handed to COPY at a time
_NEEDS_ESCAPE = re.compile(r"['\\]").search

marker = sa.Table(
    "ledger_demo_seed",
    sa.MetaData(),
    sa.Column("application", sa.String(64), primary_key=True),
    sa.Column("plan", sa.Text, nullable=False),
    sa.Column("summary", sa.Text),  # NULL while the rows are being written
)
_MINE = marker.c.application == "billing"


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
        summary = _make_room(connection, plan)
        if summary is None:
            _create(connection, plan)
            summary = _fill(connection, plan, progress or (lambda _done, _all: None))
            _finish(connection, summary)
            connection.commit()
        return summary


def _make_room(connection: sa.Connection, plan: SeedPlan) -> SeedSummary | None:
    """Give the summary of the same demo, if it is there; else see to it that the tables are not.

    Raises:
        SeedRefused: where that would do harm.
    """
    inspector = sa.inspect(connection)
    there = [table for table in _TABLES if inspector.has_table(table.name)]
    if not there:
        return None
    found = None
    if inspector.has_table(marker.name):
        found = connection.execute(sa.select(marker.c.plan, marker.c.summary).where(_MINE)).one_or_none()
    place = connection.engine.url.render_as_string()
    if found is None or not _looks_seeded(connection, there):
        raise SeedRefused(
            f"{place} has {' and '.join(table.name for table in there)}, which no demo made: a real application's data "
            "may be in there. Nothing was changed. Give the demo a database of its own."
        )
    if plan.replace:
        for table in there:
            connection.execute(DropTable(table))
        return None
    if found.summary is None or len(there) < len(_TABLES):
        raise SeedRefused(f"{place} has only a part of a demo. Seed with replace to start afresh.")
    if found.plan != plan.identity():
        raise SeedRefused(
            f"{place} has the demo of another plan, {found.plan}. "
            "Seed with replace to drop it, or give this one a database of its own."
        )
    return dataclasses.replace(SeedSummary(**json.loads(found.summary)), already_there=True)


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


def _create(connection: sa.Connection, plan: SeedPlan) -> None:
    """Make the tables without their secondary indexes, and mark them as a demo's.

    The tables come before the mark. If another program made one of them in the meantime, creating it fails, and
    a table that is not ours is never marked.
    """
    connection.execute(CreateTable(marker, if_not_exists=True))
    connection.execute(marker.delete().where(_MINE))
    for table in _TABLES:
        connection.execute(CreateTable(table))
    connection.execute(marker.insert().values(application="billing", plan=plan.identity()))
    _commit_unless_whole(connection)


def _fill(connection: sa.Connection, plan: SeedPlan, progress: Callable[[int, int], None]) -> SeedSummary:
    """Write all rows, customer by customer."""
    timeline = Timeline(plan)
    tally: Counter[str] = Counter()
    dirt = {kind.name: 0 for kind in KINDS}
    accounts = _accounts(plan, timeline, dirt)
    batch = max(1, min(1_000, _BATCH // (plan.months * plan.readings_per_month)))
    people = [account.row() for account in staff(timeline)]
    while people:
        _write(connection, billing_schema.users, USER_COLUMNS, people)
        _commit_unless_whole(connection)
        tally["users"] += len(people)
        progress(tally["customers"], plan.customers)
        people = []
        rows = _batch_rows(islice(accounts, batch), people, tally)
        _write(connection, billing_schema.data_pencatatan, READING_COLUMNS, rows)
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


def _accounts(plan: SeedPlan, timeline: Timeline, dirt: dict[str, int]) -> Iterator[Account]:
    """Make the customers one after the other, with their share of the dirt, and count the latter."""
    hands = assign_dirt(plan.customers)
    for index in range(plan.customers):
        account = make_account(index, plan, timeline)
        if kind := hands.get(index):
            dirt[kind.name] += kind.make(Case(account, timeline))
        yield account


def _batch_rows(accounts: Iterable[Account], people: list[Row], tally: Counter[str]) -> Iterator[Row]:
    """Give the readings of some accounts; put the accounts' own rows, which come second, into `people`."""
    for account in accounts:
        people.append(account.row())
        yield from account.reading_rows(tally["readings"] + 1)
        tally["readings"] += len(account.readings)
        tally["deposits"] += len(account.deposits or ())
        tally["price_entries"] += len(account.prices or ())


def _write(connection: sa.Connection, table: sa.Table, columns: tuple[str, ...], rows: Iterable[Row]) -> None:
    """Write rows by the fastest way that the driver has."""
    driver = connection.connection.driver_connection
    if connection.dialect.driver == "psycopg" and driver is not None:
        _copy(driver, f"COPY {table.name} ({', '.join(columns)}) FROM STDIN", rows)
    elif connection.dialect.driver == "pymysql" and driver is not None:
        statement = f"INSERT INTO {table.name} ({', '.join(columns)}) VALUES "  # noqa: S608 - names of our own
        _insert_literals(driver, statement, rows)
    else:
        # Untyped columns let the database read the text into its own types.
        target, remaining = sa.table(table.name, *map(sa.column, columns)).insert(), iter(rows)
        while chunk := [dict(zip(columns, row, strict=True)) for row in islice(remaining, _INSERT)]:
            connection.execute(target, chunk)


def _copy(driver: Any, statement: str, rows: Iterable[Row]) -> None:
    """Send rows in COPY's text format. No value holds a tab or a line break: JSON text escapes both."""
    remaining = map(_copy_line, rows)
    with driver.cursor() as cursor, cursor.copy(statement) as copy:
        while lines := "".join(islice(remaining, _COPY)):
            copy.write(lines)


def _copy_line(row: Row) -> str:
    values = ["\\N" if value is None else value.replace("\\", "\\\\") for value in row]
    return "\t".join(values) + "\n"


def _insert_literals(driver: Any, statement: str, rows: Iterable[Row]) -> None:
    """Insert rows of literals: several times as fast as parameters, which the driver escapes one by one in Python.

    It is left to the driver only where there is something to escape.
    """
    with driver.cursor() as cursor:

        def literal(value: str | None) -> str:
            plain = value is not None and not _NEEDS_ESCAPE(value)
            return f"'{value}'" if plain else str(cursor.mogrify("%s", (value,)))

        remaining = (f"({','.join(map(literal, row))})" for row in rows)
        while values := ",".join(islice(remaining, _INSERT)):
            cursor.execute(statement + values)


def _finish(connection: sa.Connection, summary: SeedSummary) -> None:
    """Add the indexes, let new rows follow the demo's ids, and note what was made."""
    for table in _TABLES:
        for index in sorted(table.indexes, key=lambda index: str(index.name)):
            index.create(connection)
    if connection.dialect.name == "postgresql":
        for table in _TABLES:
            sequence = sa.func.pg_get_serial_sequence(table.name, "id")
            connection.execute(sa.select(sa.func.setval(sequence, sa.func.max(table.c.id))).select_from(table))
            connection.exec_driver_sql(f"ANALYZE {table.name}")
    note = json.dumps(dataclasses.asdict(summary))
    connection.execute(marker.update().where(_MINE).values(summary=note))


def _commit_unless_whole(connection: sa.Connection) -> None:
    """Commit where creating a table has already ended the transaction that would have held everything."""
    if connection.dialect.name != "postgresql":
        connection.commit()
