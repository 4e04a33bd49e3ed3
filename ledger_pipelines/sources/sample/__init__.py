"""The demo's source databases: generated, deterministic, as untidy as real ones.

`plan` says what to make, `customers` and `billing` invent it, `accounts` writes it as the application would, `dirt`
spoils a little of it, `load` brings it into a database.
"""

from ledger_pipelines.sources.sample.load import seed
from ledger_pipelines.sources.sample.plan import SeedPlan, SeedRefused, SeedSummary

__all__ = ["SeedPlan", "SeedRefused", "SeedSummary", "seed"]
