"""The proof that nothing was lost between the ERP and its copy, made before anything is committed."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date

from ledger_pipelines.horizon import Horizon
from ledger_pipelines.loading.erp_plan import Copy, Plan, Seen, covered_months, deviations
from ledger_pipelines.loading.erp_staging import Staged
from ledger_pipelines.loading.rejections import RowsLostError
from ledger_pipelines.sources.erp_tables import ErpTable
from ledger_pipelines.warehouse.report import Report


@dataclass(frozen=True)
class Evidence:
    """What is known of a load that is about to be committed.

    Attributes:
        table: The table.
        seen: What the source said that it has, day by day.
        plan: What was read.
        staged: How much that was.
        report: What was done to the copy.
        horizon: The months of the partitions.
        moved: Days that changed while they were read, of which nothing can be proven.
    """

    table: ErpTable
    seen: Seen
    plan: Plan
    staged: Staged
    report: Report
    horizon: Horizon
    moved: Collection[date | None] = ()


def prove(copy: Copy, evidence: Evidence) -> None:
    """See that the copy and its rejected rows are what the source said that it has.

    Rows read are compared with rows loaded and rejected; and of every month that was ever loaded, read now or not, the
    source's counts and sums of each day with the copy's; of a month with rejected rows, the counts of the whole month.

    Raises:
        RowsLostError: they are not. A fault of this program, or of a server's isolation.
    """
    report, staged = evidence.report, evidence.staged
    rejected = sum(report.rejected.values())
    if (report.loaded, rejected) != (staged.usable, staged.rejected):
        _lost(
            evidence,
            f"{staged.usable} usable and {staged.rejected} rejected rows were read, but {report.loaded} are "
            f"loaded and {rejected} listed as rejected",
        )
    if evidence.plan.wanted.everything:
        _prove_everything(copy, evidence)
    elif not evidence.table.is_snapshot:
        _prove_days(copy, evidence)


def _prove_everything(copy: Copy, evidence: Evidence) -> None:
    there = sum(of.rows for of in evidence.seen.values())
    if evidence.staged.read != there:
        _lost(evidence, f"the source has {there} rows, but {evidence.staged.read} were read")
    if evidence.table.is_snapshot and not evidence.staged.rejected:
        current = copy.days.get(evidence.horizon.current, {})
        found = current[None].sums if current else {}
        for of in evidence.seen.values():
            for name, amount in of.sums.items():
                if amount != found.get(name, 0):
                    _lost(
                        evidence, f"the sum of {name} is {amount} at the source, but {found.get(name, 0)} in the copy"
                    )


def _prove_days(copy: Copy, evidence: Evidence) -> None:
    horizon, moved = evidence.horizon, set(evidence.moved)
    covered = covered_months(evidence.seen, copy, evidence.plan.whole, horizon)
    wrong = {
        month
        for month, days in deviations(evidence.seen, copy, covered, horizon).items()
        if not (moved & days if copy.rejected.get(month) else days <= moved)
    }
    if wrong:
        months = ", ".join(month or "no month" for month in sorted(wrong))
        _lost(evidence, f"the source has other rows, or other sums, than the copy and its rejected rows in {months}")


def _lost(evidence: Evidence, what: str) -> None:
    raise RowsLostError(f"{evidence.report.table}: {what}. Nothing was changed.")
