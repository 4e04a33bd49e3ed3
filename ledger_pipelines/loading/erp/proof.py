"""Proof, before the commit, that no row was lost between the ERP and its copy."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date

from ledger_pipelines.horizon import Horizon
from ledger_pipelines.loading.erp.plan import CopyState, ReadPlan, SourceDays, covered_months, deviations
from ledger_pipelines.loading.erp.staging import StagedTable
from ledger_pipelines.loading.rejections import RowsLostError
from ledger_pipelines.sources.erp.catalogue import ErpTable
from ledger_pipelines.warehouse.table_report import TableReport


@dataclass(frozen=True)
class Evidence:
    """Facts about a load that is about to be committed.

    Attributes:
        table: The table.
        source_days: Counts and sums of the source, by day.
        plan: Days and months that were read.
        staged: Numbers of rows that were read.
        report: Changes of the copy.
        horizon: Months of the partitions.
        unstable: Days that changed while they were read, for which nothing can be proven.
    """

    table: ErpTable
    source_days: SourceDays
    plan: ReadPlan
    staged: StagedTable
    report: TableReport
    horizon: Horizon
    unstable: Collection[date | None] = ()


def prove(copy: CopyState, evidence: Evidence) -> None:
    """Verify that the copy and its rejected rows have the counts and sums of the source.

    The number of rows read must equal the number loaded and rejected. For every month that was ever loaded, read now or
    not, the counts and sums of each day are compared; for a month with rejected rows, only the count of the month.

    Raises:
        RowsLostError: They differ: a bug in this program, or in the isolation of a server.
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


def _prove_everything(copy: CopyState, evidence: Evidence) -> None:
    at_source = sum(day.rows for day in evidence.source_days.values())
    if evidence.staged.read != at_source:
        _lost(evidence, f"the source has {at_source} rows, but {evidence.staged.read} were read")
    if evidence.table.is_snapshot and not evidence.staged.rejected:
        current = copy.days.get(evidence.horizon.current, {})
        found = current[None].sums if current else {}
        for fingerprint in evidence.source_days.values():
            for name, amount in fingerprint.sums.items():
                if amount != found.get(name, 0):
                    _lost(
                        evidence, f"the sum of {name} is {amount} at the source, but {found.get(name, 0)} in the copy"
                    )


def _prove_days(copy: CopyState, evidence: Evidence) -> None:
    horizon, unstable = evidence.horizon, set(evidence.unstable)
    covered = covered_months(evidence.source_days, copy, evidence.plan.whole, horizon)
    wrong = {
        month
        for month, days in deviations(evidence.source_days, copy, covered, horizon).items()
        if not (unstable & days if copy.rejected.get(month) else days <= unstable)
    }
    if wrong:
        months = ", ".join(month or "no month" for month in sorted(wrong))
        _lost(evidence, f"the source has other rows, or other sums, than the copy and its rejected rows in {months}")


def _lost(evidence: Evidence, difference: str) -> None:
    raise RowsLostError(f"{evidence.report.table}: {difference}. Nothing was changed.")
