"""Findings of the connection tests."""

from ledger_pipelines.sources.billing.diagnosis import BillingDiagnosis
from ledger_pipelines.sources.diagnosis import Finding
from ledger_pipelines.sources.erp.diagnosis import Diagnosis


def finding_on(found: BillingDiagnosis | Diagnosis, what: str) -> Finding:
    """Return the finding on one subject."""
    (finding,) = (finding for finding in found.findings if finding.what == what)
    return finding
