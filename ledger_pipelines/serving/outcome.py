"""What a run of the ledger came to, free of Dagster's own types, for a person or as JSON."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Order:
    """What is to be run: the months, whose, and how.

    Attributes:
        first: the first month.
        last: the last month.
        customers: None for all.
        force: drop and rebuild what is calculated.
        accept_deletions: go on even if implausibly many rows would be deleted.
        command: which command orders it; the run is marked by it in the web interface.
    """

    first: str
    last: str
    customers: tuple[int, ...] | None
    command: str
    force: bool = False
    accept_deletions: bool = False


REMARKS = ("rejected_because", "first_month_to_set", "columns_missing")


@dataclass(frozen=True)
class StepResult:
    """What one step did to its table, in rows, and what a person should know of it.

    Attributes:
        rejected_because: one sentence; empty if nothing is rejected.
        first_month_to_set: the month in which rows begin that are rejected since they are before the first month.
        columns_missing: one sentence; empty if the source lacks no column.
    """

    asset: str
    read: int
    rejected: int
    inserted: int
    updated: int
    deleted: int
    unchanged: int
    seconds: float
    rejected_because: str = ""
    first_month_to_set: str | None = None
    columns_missing: str = ""

    @classmethod
    def of(cls, asset: str, metadata: Mapping[str, Any]) -> "StepResult":
        """The numbers out of a materialisation's metadata."""
        values: dict[str, Any] = {
            name: int(metadata[f"rows_{name}"]) for name in cls.__dataclass_fields__ if f"rows_{name}" in metadata
        }
        values |= {name: str(metadata[name]) for name in REMARKS if name in metadata}
        return cls(asset=asset, seconds=float(metadata["seconds"]), **values)

    @property
    def counts(self) -> tuple[Any, ...]:
        """What it did, without the remarks."""
        return tuple(value for name, value in vars(self).items() if name not in REMARKS)


@dataclass(frozen=True)
class CheckResult:
    """A check that did not pass: how many rows it found, and whether that is an error or a warning."""

    name: str
    asset: str
    is_error: bool
    rows: int


@dataclass(frozen=True)
class Fault:
    """Why a run failed: the step, and its words."""

    step: str | None
    message: str


@dataclass(frozen=True)
class Outcome:
    """How a run ended.

    Attributes:
        order: what was ordered.
        run_id: by which the run is found in the web interface.
        seconds: from its start to its end.
        steps: what each step that was finished did, in order.
        checks: those that did not pass.
        faults: why it failed; empty if it did not.
    """

    order: Order
    run_id: str
    seconds: float
    steps: tuple[StepResult, ...]
    checks: tuple[CheckResult, ...]
    faults: tuple[Fault, ...]

    @property
    def success(self) -> bool:
        """Whether every step was finished and no check found an error."""
        return not self.faults and not any(check.is_error for check in self.checks)

    @property
    def first_month_to_set(self) -> str | None:
        """The earliest month in which rows begin that are rejected since they are before the first month."""
        return min((step.first_month_to_set for step in self.steps if step.first_month_to_set), default=None)


def scope_config(order: Order) -> dict[str, Any]:
    """The order as the configuration of the resource `scope`."""
    return {
        "customer_ids": list(order.customers or ()),
        "force": order.force,
        "accept_deletions": order.accept_deletions,
    }


def answer(outcome: Outcome) -> dict[str, Any]:
    """The outcome for a program."""
    order = outcome.order
    return {
        "success": outcome.success,
        "run_id": outcome.run_id,
        "months": [order.first, order.last],
        "customers": "all" if order.customers is None else list(order.customers),
        "seconds": round(outcome.seconds, 3),
        "steps": [asdict(step) for step in outcome.steps],
        "first_month_to_set": outcome.first_month_to_set,
        "checks_not_passed": [asdict(check) for check in outcome.checks],
        "error": "\n".join(fault.message for fault in outcome.faults) or None,
    }
