"""Price preview: it leaves the data unchanged and equals the effect of the change in the application."""

import re
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from ledger_pipelines.horizon import Horizon, Scope, months_between
from ledger_pipelines.ledger.preview import (
    MonthChange,
    Preview,
    PreviewBalance,
    Pricing,
    TransactionChange,
    preview_price_change,
)
from ledger_pipelines.ledger.price_change import PriceChange
from ledger_pipelines.warehouse import tables
from ledger_pipelines_tests.conftest import HISTORIES
from ledger_pipelines_tests.reference.column_values import pick
from ledger_pipelines_tests.reference.ledger import RejectedError, price_entry
from ledger_pipelines_tests.reference.model import SourceState
from ledger_pipelines_tests.reference.mutations import mutations
from ledger_pipelines_tests.reference.strategies import source_states
from ledger_pipelines_tests.reference.values import Json, NotJsonError, Numeral, read_json, write_json
from ledger_pipelines_tests.support.billing_pipeline import WIB, Pipeline

FIRST, CURRENT = "2025-01", "2025-04"
MONTHS = Horizon(FIRST, CURRENT, WIB).months
PRICES = [Decimal(text) for text in ("12500", "0", "0.01", "9999.123456789012345678", "999999999999999")]
CORRECTIONS = [None, Decimal("1.85431100000001"), Decimal(1), Decimal("0.5")]
STATES = source_states(first_month=FIRST, current_month=CURRENT)
_NO_JSON = re.compile("NaN|Infinity")


@st.composite
def price_changes(draw: st.DrawFn, state: SourceState) -> PriceChange:
    """Draw a price change of one customer for a range of months."""
    customers = [row["id"] for row in state.users if row["role"] in ("customer", "fob")]
    first, last = sorted((pick(draw, MONTHS), pick(draw, MONTHS)))
    return PriceChange(pick(draw, customers), first, last, pick(draw, PRICES), pick(draw, CORRECTIONS))


def changed_source(state: SourceState, change: PriceChange) -> SourceState:
    """Return the source after the change: the first entry of each month gets the price, or a new last entry."""
    users = [dict(row) for row in state.users]
    (row,) = [row for row in users if row["id"] == change.customer_id]
    history = readable(row["pricing_history"])
    for month in months_between(change.first, change.last):
        fields: dict[str, Json] = {"harga_per_meter_kubik": Numeral(str(change.price))}
        if change.correction is not None:
            fields["koreksi_meter"] = Numeral(str(change.correction))
        positions = [position for position, entry in enumerate(history) if _is_of(entry, month)]
        if positions:
            entry = history[positions[0]]
            assert isinstance(entry, dict)
            history[positions[0]] = entry | fields
        else:
            history.append({"date": f"{month}-01", "year_month": month, **fields})
    row["pricing_history"] = write_json(history)
    # A history encoded twice may hold tokens that a JSON column rejects in a history encoded once.
    assume(not _NO_JSON.search(row["pricing_history"]))
    return SourceState(tuple(users), state.readings)


def readable(text: str | None) -> list[Json]:
    """Return the entries of a history; discard the example if the history is unreadable."""
    try:
        history = None if text is None else read_json(text)
    except NotJsonError:
        history = "unreadable"
    assume(history is None or isinstance(history, list))
    return list(history) if isinstance(history, list) else []


def _is_of(entry: Json, month: str) -> bool:
    try:
        return price_entry(entry).year_month == month
    except RejectedError:
        return False


def contents(pipeline: Pipeline) -> Sequence[Any]:
    """Return every row of every table, as text."""
    rows = [
        sa.select(sa.literal(str(table)), sa.cast(table.table_valued(), sa.Text))
        for table in tables.metadata.sorted_tables
    ]
    with pipeline.warehouse.connect() as connection:
        return sorted(map(tuple, connection.execute(sa.union_all(*rows))))


def previewed(pipeline: Pipeline, change: PriceChange) -> Preview:
    """Return the preview, in a transaction that commits."""
    with pipeline.warehouse.begin() as connection:
        return preview_price_change(connection, change, pipeline.horizon)


def ledger_of(
    pipeline: Pipeline, customer_id: int, months: Sequence[str]
) -> tuple[dict[int, Any], dict[str, PreviewBalance]]:
    """Return a customer's stored transactions of some months, and balances from the first of these months on."""
    transactions = {
        row["data_pencatatan_id"]: row
        for row in pipeline.rows(tables.transaction_calculations)
        if row["customer_id"] == customer_id and row["year_month"] in months
    }
    balances = {
        row["year_month"]: PreviewBalance(
            row["opening_balance"],
            row["total_deposits"],
            row["total_purchases"],
            row["closing_balance"],
            row["total_volume_sm3"],
        )
        for row in pipeline.rows(tables.monthly_customer_balances)
        if row["customer_id"] == customer_id and row["year_month"] >= months[0]
    }
    return transactions, balances


def priced(row: Any) -> Pricing | None:
    """Convert a transaction row to `Pricing`."""
    if row is None:
        return None
    figures = (row["koreksi_meter"], row["harga_per_m3"], row["volume_sm3"], row["total_harga"])
    return Pricing(row["pricing_used"]["rule"], *figures)


def actual_changes(
    before: tuple[dict[int, Any], dict[str, PreviewBalance]], after: tuple[dict[int, Any], dict[str, PreviewBalance]]
) -> Any:
    """Return the changes of the transactions, and of the months whose balances changed."""
    rows = before[0] | after[0]
    transactions = [
        TransactionChange(
            key,
            row["year_month"],
            row["transaction_date"],
            row["volume_flow_meter"],
            priced(before[0].get(key)),
            priced(after[0].get(key)),
        )
        for key, row in sorted(rows.items(), key=lambda item: (item[1]["transaction_date"], item[0]))
    ]
    months = [
        MonthChange(month, before[1].get(month), after[1].get(month))
        for month in sorted(before[1].keys() | after[1].keys())
        if before[1].get(month) != after[1].get(month)
    ]
    return tuple(transactions), tuple(months)


@settings(max_examples=HISTORIES)
@given(data=st.data())
def test_preview_equals_the_change(shared_pipeline: Pipeline, data: st.DataObject) -> None:
    pipeline = shared_pipeline
    pipeline.reset(FIRST, CURRENT)
    state = data.draw(STATES)
    pipeline.fill(state)
    pipeline.run()
    change = data.draw(price_changes(state))
    changed_state = changed_source(state, change)

    stored = contents(pipeline)
    found = previewed(pipeline, change)
    assert contents(pipeline) == stored

    months = months_between(change.first, change.last)
    before = ledger_of(pipeline, change.customer_id, months)
    pipeline.fill(changed_state)
    pipeline.run(customers=data.draw(st.sampled_from([[change.customer_id], None])))
    after = ledger_of(pipeline, change.customer_id, months)
    assert (found.transactions, found.balances) == actual_changes(before, after)
    _assert_entries_are_loaded(pipeline, found)
    rejected = [row for row in pipeline.rows(tables.rejected_rows) if row["asset"] == "transaction_calculations"]
    assert found.unpriced == sum(
        row["customer_id"] == change.customer_id and row["year_month"] in months for row in rejected
    )


def _assert_entries_are_loaded(pipeline: Pipeline, found: Preview) -> None:
    """Assert that the previewed entries equal the loaded entries, digit for digit."""
    entries = sa.select(sa.cast(tables.prices.c.entry, sa.Text)).where(
        tables.prices.c.customer_id == found.change.customer_id, tables.prices.c.rule == "monthly"
    )
    with pipeline.warehouse.connect() as connection:
        loaded = set(connection.scalars(entries))
    assert {entry.entry for entry in found.entries} <= loaded


@settings(max_examples=HISTORIES)
@given(data=st.data())
def test_preview_excludes_pending_recalculations(shared_pipeline: Pipeline, data: st.DataObject) -> None:
    """Invalidations of a loaded change stay, and the preview shows the effect of the price alone."""
    pipeline = shared_pipeline
    pipeline.reset(FIRST, CURRENT)
    state = data.draw(STATES)
    pipeline.fill(state)
    pipeline.run()
    later, affected = data.draw(mutations(state, first_month=FIRST, current_month=CURRENT))
    customers = {row["id"] for row in later.users if row["role"] in ("customer", "fob")}
    assume(customers)
    change = data.draw(price_changes(later))
    pipeline.fill(later)
    pipeline.load(Scope(pipeline.horizon.months, tuple(sorted(affected)) or None))

    stored = contents(pipeline)
    found = previewed(pipeline, change)
    assert contents(pipeline) == stored

    pipeline.run()
    assert previewed(pipeline, change) == found
