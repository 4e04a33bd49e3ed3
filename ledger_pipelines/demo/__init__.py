"""Generators of the demo's source databases: deterministic, with the faults of real data.

`plan` defines size and period, `customers`, `billing` and `payments` generate the figures, `accounts` formats them as
the application does, `faults` injects faults, `load` writes everything into a database.
"""

from ledger_pipelines.demo.load import seed_billing
from ledger_pipelines.demo.plan import BillingDemoPlan, BillingDemoSummary

__all__ = ["BillingDemoPlan", "BillingDemoSummary", "seed_billing"]
