"""Hypothesis strategies for edits of a source by its users between two polls of the pipeline."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from ledger_pipelines_tests.reference import column_values
from ledger_pipelines_tests.reference import strategies as source
from ledger_pipelines_tests.reference.column_values import pick
from ledger_pipelines_tests.reference.ledger import PRICE_FIELDS
from ledger_pipelines_tests.reference.model import SourceState
from ledger_pipelines_tests.reference.rows import reading_row
from ledger_pipelines_tests.reference.values import Json, NotJsonError, read_json

Row = dict[str, Any]


@dataclass
class Draft:
    """Source that is being edited, with the ids of the users affected so far."""

    users: list[Row]
    readings: list[Row]
    active: Sequence[str]
    affected: set[int]

    def change_user(self, position: int, **columns: Any) -> None:
        """Change columns of one user."""
        self.users[position] = self.users[position] | columns
        self.affected.add(self.users[position]["id"])


@st.composite
def mutations(
    draw: st.DrawFn,
    state: SourceState,
    *,
    first_month: str,
    current_month: str,
    unreadable: bool = False,
    max_edits: int = 3,
) -> tuple[SourceState, frozenset[int]]:
    """Draw up to ``max_edits`` edits: the edited source, and the ids of the users that the edits can affect.

    A reading that moves from one customer to another affects both. With `unreadable`, an edit may leave a
    history unreadable; the expected ledger is then `compute(…, remembered=last_readable(state))`.
    """
    active = draw(source.active_months(first_month=first_month, current_month=current_month))
    draft = Draft(list(state.users), list(state.readings), active, set())
    edits = [*EDITS, _break_history] if unreadable else EDITS
    for edit in draw(st.lists(st.sampled_from(edits), min_size=1, max_size=max_edits)):
        edit(draw, draft)
    return SourceState(tuple(draft.users), tuple(draft.readings)), frozenset(draft.affected)


def _add_reading(draw: st.DrawFn, draft: Draft) -> None:
    owner = pick(draw, source.owner_table(draft.users))
    row = reading_row(_free_id(draft.readings), owner, draw(source.data_inputs(draft.active)))
    draft.readings.append(row)
    draft.affected.add(owner)


def _change_reading(draw: st.DrawFn, draft: Draft) -> None:
    if not draft.readings:
        return _add_reading(draw, draft)
    position = draw(_positions(draft.readings))
    body = draw(source.data_inputs(draft.active))
    draft.readings[position] = draft.readings[position] | {"data_input": body}
    draft.affected.add(draft.readings[position]["customer_id"])
    return None


def _move_reading_in_time(draw: st.DrawFn, draft: Draft) -> None:
    """Change only the moment of a reading."""
    if not draft.readings:
        return _add_reading(draw, draft)
    position = draw(_positions(draft.readings))
    row = draft.readings[position]
    body = _read(row["data_input"])
    if not isinstance(body, dict):
        return _change_reading(draw, draft)
    waktu = pick(draw, column_values.spellings(pick(draw, draft.active)))
    opening = body.get("pembacaan_awal")
    if "volume_sm3" in body:
        body["waktu"] = waktu
    else:
        body["pembacaan_awal"] = (opening if isinstance(opening, dict) else {}) | {"waktu": waktu}
    draft.readings[position] = row | {"data_input": draw(source.encoded(body))}
    draft.affected.add(row["customer_id"])
    return None


def _move_reading_to_customer(draw: st.DrawFn, draft: Draft) -> None:
    if not draft.readings:
        return _add_reading(draw, draft)
    position = draw(_positions(draft.readings))
    owner = pick(draw, source.owner_table(draft.users))
    draft.affected |= {draft.readings[position]["customer_id"], owner}
    draft.readings[position] = draft.readings[position] | {"customer_id": owner}
    return None


def _delete_reading(draw: st.DrawFn, draft: Draft) -> None:
    if not draft.readings:
        return _add_reading(draw, draft)
    draft.affected.add(draft.readings.pop(draw(_positions(draft.readings)))["customer_id"])
    return None


def _edit_deposits(draw: st.DrawFn, draft: Draft) -> None:
    _edit_history(draw, draft, "deposit_history", source.deposit_entries(draft.active))


def _edit_prices(draw: st.DrawFn, draft: Draft) -> None:
    _edit_history(draw, draft, "pricing_history", source.price_entries(draft.active))


def _edit_history(draw: st.DrawFn, draft: Draft, column: str, entries: st.SearchStrategy[Json]) -> None:
    """Add (anywhere in the list), change or remove an entry."""
    position = draw(_positions(draft.users))
    read = _read(draft.users[position][column])
    history = list(read) if isinstance(read, list) else []
    place = draw(st.integers(0, len(history)))
    kind = pick(draw, ("add", "change", "remove")) if place < len(history) else "add"
    history[place : place + (kind != "add")] = [] if kind == "remove" else [draw(entries)]
    draft.change_user(position, **{column: draw(source.encoded(history))})


def _reverse_prices(draw: st.DrawFn, draft: Draft) -> None:
    """Reverse the price entries: if several apply, the first one counts."""
    position = draw(_positions(draft.users))
    read = _read(draft.users[position]["pricing_history"])
    if isinstance(read, list) and len(read) > 1:
        draft.change_user(position, pricing_history=draw(source.encoded(read[::-1])))
    else:
        _edit_prices(draw, draft)


def _change_default(draw: st.DrawFn, draft: Draft) -> None:
    """Set one of the four default columns to another value or to NULL."""
    position = draw(_positions(draft.users))
    column, value = pick(draw, _DEFAULT_VALUES)
    draft.change_user(position, **{column: value})


def _add_customer(draw: st.DrawFn, draft: Draft) -> None:
    row = draw(source.customers(_free_id(draft.users), draft.active))
    draft.users.append(row)
    draft.affected.add(row["id"])


def _change_role(draw: st.DrawFn, draft: Draft) -> None:
    draft.change_user(draw(_positions(draft.users)), role=pick(draw, ("customer", "fob", *source.OTHER_ROLES)))


def _break_history(draw: st.DrawFn, draft: Draft) -> None:
    column = pick(draw, ("deposit_history", "pricing_history"))
    draft.change_user(draw(_positions(draft.users)), **{column: pick(draw, column_values.NOT_A_LIST)})


EDITS: tuple[Callable[[st.DrawFn, Draft], None], ...] = (
    _add_reading,
    _change_reading,
    _move_reading_in_time,
    _move_reading_to_customer,
    _delete_reading,
    _edit_deposits,
    _edit_prices,
    _edit_prices,
    _reverse_prices,
    _change_default,
    _add_customer,
    _change_role,
)

_DEFAULT_VALUES = tuple(
    (column, value)
    for place, column in enumerate(PRICE_FIELDS)
    for value in dict.fromkeys(row[place] for row in column_values.DEFAULTS)
)


def _positions(rows: Sequence[Row]) -> st.SearchStrategy[int]:
    return st.integers(0, len(rows) - 1)


def _free_id(rows: Iterable[Row]) -> int:
    """Return an id that neither a row nor a reserved user has."""
    taken = {row["id"] for row in rows} | {source.NO_CUSTOMER, source.UNKNOWN_CUSTOMER}
    return next(candidate for candidate in range(12, 12 + len(taken) + 1) if candidate not in taken)


def _read(text: str | None) -> Json:
    try:
        return None if text is None else read_json(text)
    except NotJsonError:
        return None
