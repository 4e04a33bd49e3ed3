"""Request and summary of a run of the ledger, without Dagster's types."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

#: Callback for progress: the current step, the number of finished steps, the total number.
ProgressCallback = Callable[[str, int, int], None]


@dataclass(frozen=True)
class LedgerRunRequest:
    """Parameters of a run of the ledger.

    Attributes:
        first: First month.
        last: Last month.
        customers: Customer ids; None for all.
        command: The command that requests the run; the run is tagged with it in the web UI.
        force: Drop the calculated rows and rebuild them.
        accept_deletions: Accept deletions that the deletion guard would refuse.
    """

    first: str
    last: str
    customers: tuple[int, ...] | None
    command: str
    force: bool = False
    accept_deletions: bool = False


REMARKS = ("rejected_because", "first_month_to_set", "columns_missing", "months_skipped")


@dataclass(frozen=True)
class StepResult:
    """Result of one step: row counts of its table, and remarks.

    Attributes:
        rejected_because: One sentence; empty if no row is rejected.
        first_month_to_set: Earliest month of the rows that are rejected because they are before the first month.
        columns_missing: One sentence; empty if the source has all columns.
        months_skipped: One sentence; empty if no month was skipped.
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
    months_skipped: str = ""

    @classmethod
    def from_metadata(cls, asset: str, metadata: Mapping[str, Any]) -> "StepResult":
        """Return the result from the metadata of a materialization."""
        values: dict[str, Any] = {
            name: int(metadata[f"rows_{name}"]) for name in cls.__dataclass_fields__ if f"rows_{name}" in metadata
        }
        values |= {name: str(metadata[name]) for name in REMARKS if name in metadata}
        return cls(asset=asset, seconds=float(metadata["seconds"]), **values)

    @property
    def counts(self) -> tuple[Any, ...]:
        """All fields except the remarks."""
        return tuple(value for name, value in vars(self).items() if name not in REMARKS)


@dataclass(frozen=True)
class CheckResult:
    """Check that did not pass: the number of rows it found, and whether its severity is ERROR or WARN."""

    name: str
    asset: str
    is_error: bool
    rows: int


@dataclass(frozen=True)
class RunError:
    """Error of a run: the step that failed, if any, and its message."""

    step: str | None
    message: str


@dataclass(frozen=True)
class RunSummary:
    """Summary of a run that has ended.

    Attributes:
        request: The parameters of the run.
        run_id: Id of the run in the web UI.
        seconds: Duration.
        steps: Results of the finished steps, in order.
        checks: Checks that did not pass.
        errors: Errors of the run; empty if it did not fail.
    """

    request: LedgerRunRequest
    run_id: str
    seconds: float
    steps: tuple[StepResult, ...]
    checks: tuple[CheckResult, ...]
    errors: tuple[RunError, ...]

    @property
    def success(self) -> bool:
        """Whether the run did not fail and no check found an error."""
        return not self.errors and not any(check.is_error for check in self.checks)

    @property
    def first_month_to_set(self) -> str | None:
        """The earliest month of rows that are rejected because they are before the first month."""
        return min((step.first_month_to_set for step in self.steps if step.first_month_to_set), default=None)


def scope_config(request: LedgerRunRequest) -> dict[str, Any]:
    """Return the configuration of the resource `scope`."""
    return {
        "customer_ids": list(request.customers or ()),
        "force": request.force,
        "accept_deletions": request.accept_deletions,
    }


def summary_as_json(summary: RunSummary) -> dict[str, Any]:
    """Return the summary as JSON."""
    request = summary.request
    return {
        "success": summary.success,
        "run_id": summary.run_id,
        "months": [request.first, request.last],
        "customers": "all" if request.customers is None else list(request.customers),
        "seconds": round(summary.seconds, 3),
        "steps": [asdict(step) for step in summary.steps],
        "first_month_to_set": summary.first_month_to_set,
        "checks_not_passed": [asdict(check) for check in summary.checks],
        "error": "\n".join(fault.message for fault in summary.errors) or None,
    }
