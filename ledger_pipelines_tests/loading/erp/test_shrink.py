"""Past months that lose many rows at the ERP: a second look before the loss is copied, then an incident."""

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa

from ledger_pipelines.horizon import Horizon
from ledger_pipelines.loading.guard import DeletionGuard, DeletionRefusedError
from ledger_pipelines.sources.erp.catalogue import SO_INVOICE_LINE, STOCKBYWH, VIEW_PROD_HEADER
from ledger_pipelines.warehouse import tables
from ledger_pipelines.warehouse.merge import Counts
from ledger_pipelines.warehouse.ops.incidents import Incident, open_incidents
from ledger_pipelines.warehouse.transaction_setup import try_lock_tables
from ledger_pipelines_tests.support.erp.erp_copy import HORIZON, ErpCopy, Row, expected_copy
from ledger_pipelines_tests.support.tables import altered

ORDERS, LINES, STOCK = VIEW_PROD_HEADER.name, SO_INVOICE_LINE.name, STOCKBYWH.name
RECEIPTS = "data_receipt_purchase"
GUARD = DeletionGuard()


class Pauses:
    """Pauses before a second look, which do not wait.

    Attributes:
        actions: What happens during the next pauses, in order.
        count: Number of pauses.
    """

    def __init__(self) -> None:
        self.actions: list[Callable[[], object]] = []
        self.count = 0

    def pause(self, _seconds: float) -> None:
        """Perform the next action."""
        self.count += 1
        if self.actions:
            self.actions.pop(0)()


@pytest.fixture
def pauses(erp_copy: ErpCopy, monkeypatch: pytest.MonkeyPatch) -> Pauses:
    """Return the pauses of the test, with an empty ERP and warehouse."""
    erp_copy.reset()
    made = Pauses()
    monkeypatch.setattr("ledger_pipelines.loading.erp.load.time.sleep", made.pause)
    return made


def orders(month: int, number: int) -> list[Row]:
    """Return orders of a month of 2025, spread over its first 28 days."""
    return [
        {"prod_index": month * 10_000 + n, "planning_date": date(2025, month, 1 + n % 28), "qty_order": Decimal(n)}
        for n in range(number)
    ]


FEBRUARY, MARCH = orders(2, 1_000), orders(3, 400)
WHOLE = [*FEBRUARY, *MARCH]
PARTIAL = [*FEBRUARY[:850], *MARCH]


def load(erp_copy: ErpCopy, rows: list[Row], guard: DeletionGuard = GUARD) -> dict[str, Counts]:
    """Replace the orders of the ERP, sync them, and return the changes of each month."""
    erp_copy.fill(ORDERS, rows)
    return erp_copy.sync(ORDERS, guard=guard)[ORDERS].counts


def assert_equal(erp_copy: ErpCopy, rows: list[Row]) -> None:
    assert erp_copy.copied_rows(ORDERS) == expected_copy(VIEW_PROD_HEADER, rows, erp_copy.horizon)


def opened(erp_copy: ErpCopy) -> list[Incident]:
    with erp_copy.warehouse.connect() as connection:
        return open_incidents(connection)


def test_reloaded_month_is_complete_after_second_look(erp_copy: ErpCopy, pauses: Pauses) -> None:
    load(erp_copy, WHOLE)

    def finish_reload() -> None:
        assert_equal(erp_copy, WHOLE)
        with erp_copy.warehouse.begin() as connection:
            assert try_lock_tables(connection, [tables.erp_tables[ORDERS]]), "the pause holds no lock"
        erp_copy.fill(ORDERS, WHOLE)

    pauses.actions = [finish_reload]
    counts = load(erp_copy, PARTIAL)
    assert (pauses.count, opened(erp_copy)) == (1, [])
    assert sum(count.changed for count in counts.values()) == 0
    assert_equal(erp_copy, WHOLE)
    first, second = erp_copy.warnings
    assert first.startswith(
        f"{ORDERS} has lost rows of past months at the ERP. 2025-02 had 1,000 rows and now has 850."
    )
    assert first.endswith("Nothing was changed. Looking again in 0 s.")
    assert second == f"{ORDERS}: the rows of 2025-02 are back at the ERP."


def test_first_look_reads_no_row(erp_copy: ErpCopy, pauses: Pauses) -> None:
    load(erp_copy, WHOLE)
    read: list[int] = []
    pauses.actions = [lambda: read.append(0)]
    erp_copy.fill(ORDERS, PARTIAL)
    erp_copy.sync(ORDERS, guard=GUARD, progress=read.append)
    assert read == [0, 850]


def test_lasting_loss_is_incident_until_rows_are_back(erp_copy: ErpCopy, pauses: Pauses) -> None:
    load(erp_copy, WHOLE)
    assert load(erp_copy, PARTIAL)["2025-02"] == Counts(deleted=150, unchanged=850)
    assert_equal(erp_copy, PARTIAL)
    (incident,) = opened(erp_copy)
    assert (incident.kind, incident.subject, incident.owner) == ("month_shrank", ORDERS, "team:erp")
    assert "2025-02 had 1,000 rows and now has 850." in incident.reason
    assert f"ledger sync start --table {ORDERS} --accept-deletions" in incident.what_to_do
    load(erp_copy, [*FEBRUARY[:840], *MARCH])
    (incident,) = opened(erp_copy)
    assert "2025-02 had 1,000 rows and now has 840." in incident.reason
    assert pauses.count == 1, "the loss is known"
    load(erp_copy, WHOLE)
    assert opened(erp_copy) == []


def test_further_loss_is_measured_against_the_complete_month(erp_copy: ErpCopy, pauses: Pauses) -> None:
    load(erp_copy, WHOLE)
    load(erp_copy, PARTIAL)
    load(erp_copy, [*FEBRUARY[:700], *MARCH])
    assert pauses.count == 2
    load(erp_copy, PARTIAL)
    (incident,) = opened(erp_copy)
    assert "2025-02 had 1,000 rows and now has 850." in incident.reason


def test_accepted_deletions_close_the_incident(erp_copy: ErpCopy, pauses: Pauses) -> None:
    load(erp_copy, WHOLE)
    load(erp_copy, PARTIAL)
    assert len(opened(erp_copy)) == 1
    load(erp_copy, PARTIAL, DeletionGuard(accept=True))
    assert opened(erp_copy) == []
    load(erp_copy, PARTIAL)
    assert (pauses.count, opened(erp_copy)) == (1, [])


def test_incident_closes_when_its_months_leave_the_partitions(erp_copy: ErpCopy, pauses: Pauses) -> None:
    load(erp_copy, WHOLE)
    load(erp_copy, PARTIAL)
    erp_copy.horizon = Horizon("2025-03", HORIZON.current, HORIZON.zone)
    load(erp_copy, PARTIAL)
    assert (pauses.count, opened(erp_copy)) == (1, [])
    assert len(erp_copy.rejected(ORDERS)) == len(FEBRUARY[:850])


def test_months_that_enter_the_partitions_have_not_shrunk(erp_copy: ErpCopy, pauses: Pauses) -> None:
    erp_copy.horizon = Horizon("2025-03", HORIZON.current, HORIZON.zone)
    load(erp_copy, WHOLE)
    erp_copy.horizon = HORIZON
    erp_copy.fill(ORDERS, WHOLE)
    erp_copy.sync(ORDERS, months=HORIZON.months, guard=GUARD)
    assert (pauses.count, opened(erp_copy)) == (0, [])
    assert_equal(erp_copy, WHOLE)


def test_accepted_deletions_need_no_second_look(erp_copy: ErpCopy, pauses: Pauses) -> None:
    load(erp_copy, WHOLE)
    load(erp_copy, MARCH, DeletionGuard(accept=True))
    assert (pauses.count, opened(erp_copy)) == (0, [])
    assert_equal(erp_copy, MARCH)


@pytest.mark.parametrize(
    ("before", "now", "looks"), [(1_000, 951, 0), (1_000, 950, 1), (100, 81, 0), (100, 80, 1), (400, 380, 1)]
)
def test_only_large_losses_get_second_look(
    erp_copy: ErpCopy, pauses: Pauses, before: int, now: int, looks: int
) -> None:
    load(erp_copy, orders(2, before))
    load(erp_copy, orders(2, now))
    assert (pauses.count, len(opened(erp_copy))) == (looks, looks)


def test_current_month_gets_no_second_look(erp_copy: ErpCopy, pauses: Pauses) -> None:
    load(erp_copy, orders(6, 300))
    load(erp_copy, orders(6, 250))
    assert (pauses.count, opened(erp_copy)) == (0, [])


def test_snapshot_gets_no_second_look(erp_copy: ErpCopy, pauses: Pauses) -> None:
    stock = [{"warehouse": "W", "partno": f"P{n}"} for n in range(90)]
    erp_copy.fill(STOCK, stock)
    erp_copy.sync(STOCK, guard=GUARD)
    erp_copy.horizon = Horizon(HORIZON.first, "2025-07", HORIZON.zone)
    for rows in (stock[:60], stock[:30]):
        erp_copy.fill(STOCK, rows)
        erp_copy.sync(STOCK, guard=GUARD)
    erp_copy.fill(STOCK, [])
    with pytest.raises(DeletionRefusedError):
        erp_copy.sync(STOCK, guard=GUARD)
    assert (pauses.count, opened(erp_copy)) == (0, [])


def test_moved_rows_are_not_lost(erp_copy: ErpCopy, pauses: Pauses) -> None:
    load(erp_copy, WHOLE)
    moved = [*PARTIAL, *({**row, "planning_date": date(2025, 4, 4)} for row in FEBRUARY[850:])]
    load(erp_copy, moved)
    assert (pauses.count, opened(erp_copy)) == (1, [])
    assert erp_copy.warnings[1:] == [f"{ORDERS}: 150 rows of 2025-02 moved to other months."]
    assert_equal(erp_copy, moved)


def test_moved_rows_reduce_the_loss_of_an_open_incident(erp_copy: ErpCopy, pauses: Pauses) -> None:
    load(erp_copy, WHOLE)
    load(erp_copy, PARTIAL)
    moved = [{**row, "planning_date": date(2025, 4, 4)} for row in FEBRUARY[750:850]]
    for _ in range(2):
        load(erp_copy, [*FEBRUARY[:750], *moved, *MARCH])
        (incident,) = opened(erp_copy)
        assert "2025-02 had 900 rows and now has 750." in incident.reason
    load(erp_copy, [*FEBRUARY[:750], *moved, *FEBRUARY[850:], *MARCH])
    assert (pauses.count, opened(erp_copy)) == (2, [])


def test_later_delivery_moves_an_order_line(erp_copy: ErpCopy, pauses: Pauses) -> None:
    """Each order line has a delivered part; of the parts still open, 20 are delivered and 20 are lost."""

    def line(number: int, shipment: str | None = None, day: int = 2) -> Row:
        delivery = {"shipment": shipment, "delivery_date": date(2025, 3, 3)} if shipment else {}
        return {"sales_order": f"SO{number}", "so_line": 1, "so_date": date(2025, 2, day), **delivery}

    waiting = [line(n) for n in range(100)]
    unchanged = [*(line(n, "first") for n in range(100)), *(line(n, day=20) for n in range(20))]
    for rows in (waiting, [*(line(n, "second") for n in range(20)), *waiting[40:]]):
        erp_copy.fill(LINES, [*unchanged, *rows])
        erp_copy.sync(LINES, guard=GUARD)
    assert pauses.count == 1
    assert erp_copy.warnings[1:] == [f"{LINES}: 20 rows of 2025-02 moved to other months."]
    (incident,) = opened(erp_copy)
    assert "2025-02 had 100 rows and now has 80." in incident.reason


def test_month_that_shrinks_during_the_pause_is_looked_at_again(erp_copy: ErpCopy, pauses: Pauses) -> None:
    load(erp_copy, WHOLE)
    pauses.actions = [
        lambda: erp_copy.fill(ORDERS, [*FEBRUARY, *MARCH[:300]]),
        lambda: erp_copy.fill(ORDERS, WHOLE),
    ]
    load(erp_copy, PARTIAL)
    assert (pauses.count, opened(erp_copy)) == (2, [])
    assert_equal(erp_copy, WHOLE)


def test_emptied_table_is_looked_at_again_before_refusal(erp_copy: ErpCopy, pauses: Pauses) -> None:
    load(erp_copy, WHOLE)
    with pytest.raises(DeletionRefusedError, match="no rows in view_prod_header at all"):
        load(erp_copy, [])
    assert (pauses.count, opened(erp_copy)) == (1, [])
    pauses.actions = [lambda: erp_copy.fill(ORDERS, WHOLE)]
    load(erp_copy, [])
    assert (pauses.count, opened(erp_copy)) == (2, [])
    assert_equal(erp_copy, WHOLE)


def test_guard_refuses_only_after_second_look(erp_copy: ErpCopy, pauses: Pauses) -> None:
    load(erp_copy, WHOLE)
    with pytest.raises(DeletionRefusedError, match="delete 400 of the 1,000 rows"):
        load(erp_copy, [*FEBRUARY[:600], *MARCH])
    assert (pauses.count, opened(erp_copy)) == (1, [])
    assert_equal(erp_copy, WHOLE)
    pauses.actions = [lambda: erp_copy.fill(ORDERS, WHOLE)]
    load(erp_copy, [*FEBRUARY[:600], *MARCH])
    assert pauses.count == 2


def test_rejected_rows_are_not_lost_rows(erp_copy: ErpCopy, pauses: Pauses) -> None:
    def receipts(rejected: int, number: int) -> list[dict[str, Any]]:
        day = date(2025, 2, 2)
        return [
            {"receipt_no": f"R{n}", "actual_receipt_date": day, "is_confirmed": "maybe" if n < rejected else "yes"}
            for n in range(number)
        ]

    looks = []
    for rejected, number in ((0, 100), (50, 100), (50, 80)):
        erp_copy.fill(RECEIPTS, receipts(rejected, number))
        erp_copy.sync(RECEIPTS, guard=GUARD)
        looks.append(pauses.count)
    assert looks == [0, 0, 1]
    (incident,) = opened(erp_copy)
    assert "2025-02 had 100 rows and now has 80." in incident.reason


def test_table_without_dates_gets_second_look(erp_copy: ErpCopy, pauses: Pauses) -> None:
    date_type = "timestamp" if erp_copy.source.dialect.name == "postgresql" else "datetime"
    alter = "ALTER COLUMN planning_date TYPE" if date_type == "timestamp" else "MODIFY planning_date"
    back = f"ALTER TABLE {ORDERS} DROP planning_date, ADD COLUMN planning_date {date_type} NULL"

    def fill(number: int) -> None:
        rows = ", ".join(f"({n}, '2025-02-{1 + n % 28:02}')" for n in range(number))
        with erp_copy.source.begin() as connection:
            connection.execute(sa.text(f"DELETE FROM {ORDERS}"))
            connection.execute(sa.text(f"INSERT INTO {ORDERS} (prod_index, planning_date) VALUES {rows}"))

    with altered(erp_copy.source, f"ALTER TABLE {ORDERS} {alter} varchar(30)", back):
        pauses.actions = [lambda: fill(100)]
        for number in (100, 70, 70):
            fill(number)
            erp_copy.sync(ORDERS, guard=GUARD)
        erp_copy.fill(ORDERS, [])
    erp_copy.source.dispose()
    assert pauses.count == 2
    assert erp_copy.copied_rows(ORDERS).total() == 70
    (incident,) = opened(erp_copy)
    assert "2025-02 had 100 rows and now has 70." in incident.reason
