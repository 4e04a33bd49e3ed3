"""Billing applications of other versions, with fewer rights, views, or another time zone: all give the same figures.

Everything is loaded; then a changed reading and a changed deposit are applied in real time, on each kind of server.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa

from ledger_pipelines.loading.guard import DeletionGuard
from ledger_pipelines.realtime.change_applier import AppliedChanges, ChangeApplier
from ledger_pipelines.realtime.diff import ChangeKind
from ledger_pipelines.realtime.full_scan import FullScan
from ledger_pipelines.realtime.poller import Poller
from ledger_pipelines.sources.billing import columns as billing_columns
from ledger_pipelines.sources.billing.changes import customers_without_recalculation
from ledger_pipelines.sources.billing.columns import EFFECT_IF_MISSING, REQUIRED
from ledger_pipelines.sources.billing.reader import BillingSource
from ledger_pipelines.sources.billing.schema import data_pencatatan, users
from ledger_pipelines.warehouse import tables
from ledger_pipelines.warehouse.engine import source_engine
from ledger_pipelines_tests.reference.ledger import compute_ledger
from ledger_pipelines_tests.reference.model import SourceState
from ledger_pipelines_tests.reference.rows import reading_row, user_row
from ledger_pipelines_tests.support.billing_pipeline import WIB, Pipeline, describe_differences, new_pipeline

FIRST, CURRENT = "2025-01", "2025-06"
NOW = datetime(2025, 6, 17, 15, 30, tzinfo=WIB)
LOCAL_NOW = NOW.replace(tzinfo=None)
DEPOSITS = '[{"date": "2025-03-05 14:04:00", "amount": 71930493.31}, {"date": "x"}]'
PRICES = '[{"year_month": "2025-03", "harga_per_meter_kubik": 9500}]'
METERED = '{"pembacaan_awal": {"waktu": "2025-03-01T20:45:27"}, "volume_flow_meter": 257.90999999999985}'
FOB = '{"waktu": "2025-02-03 09:32", "volume_sm3": "150"}'
DEFAULTS: dict[str, Any] = {
    "harga_per_meter_kubik": Decimal(9000),
    "tekanan_keluar": Decimal("0.850"),
    "suhu": Decimal("25.01"),
}
STATE = SourceState(
    (
        user_row(1, deposit_history=DEPOSITS, pricing_history=PRICES, no_kontrak="K-1", **DEFAULTS),
        user_row(2, role="fob", **DEFAULTS),
        user_row(3, role="admin"),
    ),
    (reading_row(1, 1, METERED), reading_row(2, 2, FOB), reading_row(3, 1, None), reading_row(4, 9, FOB)),
)
OPTIONAL = {table: [name for name, lost in of.items() if lost != REQUIRED] for table, of in EFFECT_IF_MISSING.items()}
UNDATED = {table: [name for name in names if name != "updated_at"] for table, names in OPTIONAL.items()}


@dataclass(frozen=True)
class OtherApplication:
    """Billing application with another schema, other rights, or another time zone.

    Attributes:
        pipeline: Pipeline that reads the application.
        owner: Engine of the application's owner, to write to it.
        clock_offset: Difference between `updated_at`, as the server shows it, and the company's clock.
    """

    pipeline: Pipeline
    owner: sa.Engine
    clock_offset: timedelta = timedelta()

    @property
    def app(self) -> BillingSource:
        """The application as the product reads it."""
        return BillingSource(self.pipeline.source, self.pipeline.horizon)

    def do(self, *statements: str | sa.Executable) -> None:
        """Execute statements as the owner."""
        with self.owner.begin() as connection:
            for statement in statements:
                connection.execute(sa.text(statement) if isinstance(statement, str) else statement)


@pytest.fixture
def other(source_server: sa.URL, embedded_url: sa.URL) -> Iterator[OtherApplication]:
    """Yield a billing application with the known schema, which a test alters."""
    with new_pipeline(source_server, embedded_url) as pipeline:
        pipeline.reset(FIRST, CURRENT)
        yield OtherApplication(pipeline, pipeline.source)


def lacking(columns: Mapping[str, Sequence[str]]) -> Callable[[OtherApplication], Iterator[OtherApplication]]:
    def altered(other: OtherApplication) -> Iterator[OtherApplication]:
        for table, names in columns.items():
            other.do(f"ALTER TABLE {table} {', '.join(f'DROP COLUMN {name}' for name in names)}")
        yield other

    return altered


def newer(other: OtherApplication) -> Iterator[OtherApplication]:
    """Add columns of a later version, and change the order of columns."""
    other.do(
        "ALTER TABLE users ADD COLUMN two_factor_secret text, DROP COLUMN alamat",
        "ALTER TABLE users ADD COLUMN alamat varchar(20)",
        "ALTER TABLE data_pencatatan ADD COLUMN approved_by bigint",
    )
    yield other


def unindexed(other: OtherApplication) -> Iterator[OtherApplication]:
    for table in EFFECT_IF_MISSING:
        on = f" ON {table}" if other.owner.dialect.name != "postgresql" else ""
        other.do(f"DROP INDEX {table}_updated_at_index{on}")
    yield other


def column_rights(other: OtherApplication) -> Iterator[OtherApplication]:
    """Use a login that may read single columns, but neither passwords nor columns that no amount needs."""
    with reader_of(other, {table: [name for name in of if name not in {"alamat", "harga_final"}]
                           for table, of in EFFECT_IF_MISSING.items()}) as reader:  # fmt: skip
        yield replace(other, pipeline=replace(other.pipeline, source=reader))


def views(other: OtherApplication) -> Iterator[OtherApplication]:
    """Replace both tables by views, with a login that cannot read the tables: no primary key or index is visible."""
    for table, of in EFFECT_IF_MISSING.items():
        other.do(f"ALTER TABLE {table} RENAME TO app_{table}")
        other.do(f"CREATE VIEW {table} AS SELECT {', '.join(of)} FROM app_{table}")
    with reader_of(other, {table: list(of) for table, of in EFFECT_IF_MISSING.items()}) as reader:
        yield replace(other, pipeline=replace(other.pipeline, source=reader))
    for table in EFFECT_IF_MISSING:
        other.do(f"DROP VIEW {table}", f"ALTER TABLE app_{table} RENAME TO {table}")


def to_the_west(other: OtherApplication) -> Iterator[OtherApplication]:
    """Sessions show `updated_at` seven hours behind the company's clock."""
    yield replace(other, clock_offset=timedelta(hours=-7))


def to_the_east(other: OtherApplication) -> Iterator[OtherApplication]:
    """Sessions show `updated_at` two hours ahead of the company's clock."""
    yield replace(other, clock_offset=timedelta(hours=2))


@contextmanager
def reader_of(other: OtherApplication, columns: dict[str, list[str]]) -> Iterator[sa.Engine]:
    """Yield an engine of a login that may read only these columns."""
    url = other.owner.url
    name = f"r_{url.database}"[:30]
    is_mysql = other.owner.dialect.name != "postgresql"
    login = f"{name}@'%'" if is_mysql else name
    other.do(f"CREATE USER {login} {'IDENTIFIED BY' if is_mysql else 'PASSWORD'} 's3cret'")
    for table, names in columns.items():
        other.do(f"GRANT SELECT ({', '.join(names)}) ON {table} TO {login}")
    engine = source_engine(url.set(username=name, password="s3cret"))  # noqa: S106 - of a user that exists only in this test
    try:
        yield engine
    finally:
        engine.dispose()
        if not is_mysql:
            other.do(f"DROP OWNED BY {name}")
        other.do(f"DROP USER {login}")


KINDS = {
    "older": lacking(UNDATED),
    "newer": newer,
    "without updated_at": lacking(OPTIONAL),
    "unindexed": unindexed,
    "rights to columns": column_rights,
    "views": views,
    "to the west": to_the_west,
    "to the east": to_the_east,
}


def fill(other: OtherApplication, state: SourceState) -> None:
    """Replace the contents of the application's tables by a state, in the columns that exist."""
    existing = {
        table: {column["name"] for column in sa.inspect(other.owner).get_columns(table)} for table in EFFECT_IF_MISSING
    }
    other.do(sa.delete(data_pencatatan), sa.delete(users))
    for table, rows in ((users, state.users), (data_pencatatan, state.readings)):
        for row in rows:
            values = row | ({"password": "x"} if table is users else {"harga_final": 0})
            other.do(sa.insert(table).values({k: v for k, v in values.items() if k in existing[table.name]}))


def expected(state: SourceState) -> Any:
    return compute_ledger(state, first_month=FIRST, current_month=CURRENT)


def change_row(other: OtherApplication, table: sa.Table, row_id: int, **values: Any) -> None:
    """Change a row as the application does, with the application's clock."""
    if "updated_at" in {column["name"] for column in sa.inspect(other.owner).get_columns(table.name)}:
        values["updated_at"] = LOCAL_NOW + other.clock_offset
    other.do(sa.update(table).where(table.c.id == row_id).values(values))


def apply_changes(other: OtherApplication, *, by_polls: bool) -> None:
    """Detect the changes, by polls or else by the full scan, and apply them."""
    app, warehouse, guard = other.app, other.pipeline.warehouse, DeletionGuard()
    polled = sum(Poller(kind, warehouse).poll(app, NOW) for kind in ChangeKind)
    scanned = sum(FullScan(table, app, warehouse, guard).scan_next() for table in EFFECT_IF_MISSING)
    assert (bool(polled), bool(scanned)) == (by_polls, not by_polls)
    results = list(ChangeApplier(lambda: app, warehouse, guard, "test").apply())
    assert [type(result) for result in results] == [AppliedChanges]


@pytest.mark.parametrize("kind", KINDS)
def test_whole_load_and_realtime_equal_the_reference(other: OtherApplication, kind: str) -> None:
    if kind == "views":
        fill(other, STATE)  # into the tables: rows cannot be inserted into every view
    altering = KINDS[kind](other)
    made = next(altering)
    if kind != "views":
        fill(made, STATE)
    made.pipeline.run()
    with made.pipeline.warehouse.begin() as connection:
        connection.execute(sa.update(tables.loaded_months).values(loaded_at=NOW - timedelta(hours=1)))
    assert describe_differences(made.pipeline.ledger(), expected(STATE)) == []

    metered = METERED.replace("257.9", "300.1")
    deposits = DEPOSITS.replace("71930493.31", "500")
    for table in (users, data_pencatatan):
        change_row(made, table, 1, **({"deposit_history": deposits} if table is users else {"data_input": metered}))
    apply_changes(made, by_polls=kind != "without updated_at")
    state = SourceState(
        (STATE.users[0] | {"deposit_history": deposits}, *STATE.users[1:]),
        (STATE.readings[0] | {"data_input": metered}, *STATE.readings[1:]),
    )
    assert describe_differences(made.pipeline.ledger(), expected(state)) == []
    assert next(altering, None) is None


def test_missing_columns_are_read_as_null_and_reported(other: OtherApplication) -> None:
    made = next(lacking(OPTIONAL)(other))
    fill(made, STATE)
    made.pipeline.run()
    columns = made.app.refresh_columns()
    assert columns["users"].missing_message == (
        "Columns that users lacks, or that may not be read; no amount needs them: " + ", ".join(OPTIONAL["users"]) + "."
    )
    (one, _) = made.pipeline.rows(tables.customers)
    assert {one[name] for name in OPTIONAL["users"] if name != "use_realtime_calculation"} == {None}
    assert one["use_realtime_calculation"] is True
    assert customers_without_recalculation(made.app, [1, 2]) == frozenset()


def missing_columns(other: OtherApplication) -> list[str]:
    """Return the columns of `users` that a poll assumes to be missing."""
    return list(other.app.columns["users"].missing)


def test_added_or_removed_column_is_detected(other: OtherApplication, monkeypatch: pytest.MonkeyPatch) -> None:
    """A poll detects it within seconds, a load and a failed statement immediately."""
    fill(other, STATE)
    assert missing_columns(other) == []
    other.do("ALTER TABLE users RENAME COLUMN alamat TO address")
    assert missing_columns(other) == [], "the server is not asked at each poll"
    with pytest.raises(Exception, match="alamat"):
        other.app.fetch_rows(other.app.select_rows("users"))
    assert missing_columns(other) == ["alamat"]
    other.do("ALTER TABLE users RENAME COLUMN address TO alamat")
    assert list(other.app.refresh_columns()["users"].missing) == []
    other.do("ALTER TABLE users RENAME COLUMN alamat TO address")
    monkeypatch.setattr(billing_columns, "CACHE_SECONDS", 0)
    assert missing_columns(other) == ["alamat"]


def test_polls_do_not_ask_for_the_columns(other: OtherApplication) -> None:
    fill(other, STATE)
    other.pipeline.run()
    watch = Poller(ChangeKind.PRICES, other.pipeline.warehouse)
    watch.poll(other.app, NOW)
    asked: list[str] = []
    sa.event.listen(other.pipeline.source, "before_cursor_execute", lambda *of: asked.append(of[2]))
    for _ in range(4):
        watch.poll(other.app, NOW)
    assert len(asked) == 4
    assert all("updated_at" in statement for statement in asked)
