"""Faults of real billing data, which the pipeline must read or reject.

`FAULT_KINDS` lists them; each kind is a function in `readings` or `histories`. A kind is assigned to a few of the first
customers, so that a large database has as few faulty rows as a small one. The function rewrites a clean account and
returns the number of rows or entries it touched: 0 if the fault does not apply (a plan of one month has no gap between
months).
"""

from collections.abc import Callable
from dataclasses import dataclass

from ledger_pipelines.demo.customers import is_fob
from ledger_pipelines.demo.faults import histories, readings
from ledger_pipelines.demo.faults.context import FaultContext

FAULTY_CUSTOMERS = 36
"""Number of customers, from the first, that may have faults."""


@dataclass(frozen=True)
class FaultKind:
    """A kind of fault, the number of customers that get it, and whether they are fob customers."""

    make: Callable[[FaultContext], int]
    customers: int = 1
    fob: bool = False

    @property
    def name(self) -> str:
        """Return the function's name."""
        return self.make.__name__


FAULT_KINDS = (
    FaultKind(readings.twice_encoded_reading),
    FaultKind(readings.numbers_as_strings),
    FaultKind(readings.integers_and_floats),
    FaultKind(histories.strings_in_histories),
    FaultKind(histories.twice_encoded_histories),
    FaultKind(readings.blank_for_t),
    FaultKind(readings.without_seconds),
    FaultKind(readings.unparsable_moment),
    FaultKind(readings.zero_volume),
    FaultKind(readings.mistyped_meter),
    FaultKind(readings.negative_volume),
    FaultKind(readings.text_for_volume),
    FaultKind(readings.same_start),
    FaultKind(readings.fob_reading_of_metered),
    FaultKind(readings.reading_of_staff, customers=2),
    FaultKind(readings.reading_of_nobody),
    FaultKind(readings.reading_in_the_next_month),
    FaultKind(readings.reading_before_the_first_month),
    FaultKind(readings.months_without_readings, customers=3),
    FaultKind(histories.deposit_before_the_first_reading),
    FaultKind(histories.no_price),
    FaultKind(histories.null_histories),
    FaultKind(histories.twice_encoded_empty_lists),
    FaultKind(histories.deposit_before_the_first_month, fob=True),
    FaultKind(histories.deposit_without_keterangan, fob=True),
    FaultKind(histories.negative_pengurangan, fob=True),
    FaultKind(histories.positive_pengurangan, fob=True),
    FaultKind(histories.deposit_without_date, fob=True),
    FaultKind(readings.with_seconds, fob=True),
    FaultKind(readings.metered_reading_of_fob, fob=True),
    FaultKind(readings.months_without_readings, fob=True),
)


def assign_faults(customers: int) -> dict[int, FaultKind]:
    """Return the kind of fault of each of the first customers, by index in the plan.

    A customer has at most one kind; a small plan has too few customers for the last kinds.

    Args:
        customers: number of customers in the plan.
    """
    assigned: dict[int, FaultKind] = {}
    for fob in (False, True):
        indexes = [index for index in range(min(customers, FAULTY_CUSTOMERS)) if is_fob(index) == fob]
        kinds = [kind for kind in FAULT_KINDS if kind.fob == fob for _ in range(kind.customers)]
        assigned.update(zip(indexes, kinds, strict=False))
    return assigned
