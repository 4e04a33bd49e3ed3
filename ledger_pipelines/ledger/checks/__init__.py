"""Checks of all tables: invariants, data checks, rejected rows, and the results of the reconciliations.

A new check is declared in one of these modules. Dagster shows all checks; the health check counts violated invariants.
"""

from ledger_pipelines.ledger.checks.check import Check, CheckScope, Findings, Severity, count_findings, evaluate
from ledger_pipelines.ledger.checks.data_checks import DATA_CHECKS
from ledger_pipelines.ledger.checks.invariants import INVARIANTS
from ledger_pipelines.ledger.checks.mismatches import RECONCILIATION_CHECKS
from ledger_pipelines.ledger.checks.rejections import REJECTION_CHECKS

CHECKS = (*INVARIANTS, *DATA_CHECKS, *REJECTION_CHECKS, *RECONCILIATION_CHECKS)

__all__ = [
    "CHECKS",
    "DATA_CHECKS",
    "INVARIANTS",
    "Check",
    "CheckScope",
    "Findings",
    "Severity",
    "count_findings",
    "evaluate",
]
