"""The faults of the real data: what the pipeline must read, reject or survive.

`KINDS` is the list, each kind a function of its own in `readings` or `histories`. A kind falls on a few of the first
customers, so that its rows stay as few in a large database as in a small one. A function rewrites a clean account and
says how many rows or entries it touched: 0 if the account has none that could have the fault (a single month has no
month between others).
"""

from collections.abc import Callable
from dataclasses import dataclass

from ledger_pipelines.sources.sample.customers import is_fob
from ledger_pipelines.sources.sample.dirt import histories, readings
from ledger_pipelines.sources.sample.dirt.case import Case

DIRTY_CUSTOMERS = 36
"""Only the first so many customers have faults."""


@dataclass(frozen=True)
class Kind:
    """A kind of fault and on how many customers of which sort it falls."""

    make: Callable[[Case], int]
    customers: int = 1
    fob: bool = False

    @property
    def name(self) -> str:
        """The function's name."""
        return self.make.__name__


KINDS = (
    Kind(readings.twice_encoded_reading),
    Kind(readings.numbers_as_strings),
    Kind(readings.integers_and_floats),
    Kind(histories.strings_in_histories),
    Kind(histories.twice_encoded_histories),
    Kind(readings.blank_for_t),
    Kind(readings.without_seconds),
    Kind(readings.unparsable_moment),
    Kind(readings.zero_volume),
    Kind(readings.mistyped_meter),
    Kind(readings.negative_volume),
    Kind(readings.text_for_volume),
    Kind(readings.same_start),
    Kind(readings.fob_reading_of_metered),
    Kind(readings.reading_of_staff, customers=2),
    Kind(readings.reading_of_nobody),
    Kind(readings.reading_in_the_next_month),
    Kind(readings.reading_before_the_first_month),
    Kind(readings.months_without_readings, customers=3),
    Kind(histories.deposit_before_the_first_reading),
    Kind(histories.no_price),
    Kind(histories.null_histories),
    Kind(histories.twice_encoded_empty_lists),
    Kind(histories.deposit_before_the_first_month, fob=True),
    Kind(histories.deposit_without_keterangan, fob=True),
    Kind(histories.negative_pengurangan, fob=True),
    Kind(histories.positive_pengurangan, fob=True),
    Kind(histories.deposit_without_date, fob=True),
    Kind(readings.with_seconds, fob=True),
    Kind(readings.metered_reading_of_fob, fob=True),
    Kind(readings.months_without_readings, fob=True),
)


def assign_dirt(customers: int) -> dict[int, Kind]:
    """Deal the kinds out to the first customers, one each; a small plan has no room for the last kinds.

    Args:
        customers: how many the plan has.

    Returns:
        The kind that falls on a customer, by the customer's place in the plan.
    """
    hands: dict[int, Kind] = {}
    for fob in (False, True):
        places = [place for place in range(min(customers, DIRTY_CUSTOMERS)) if is_fob(place) == fob]
        deals = [kind for kind in KINDS if kind.fob == fob for _ in range(kind.customers)]
        hands.update(zip(places, deals, strict=False))
    return hands
