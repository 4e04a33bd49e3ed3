"""The demo's ERP: its six tables, generated, deterministic, as untidy as real ones.

`plan` says what to make; `erp_schema` declares the tables; `world` invents who and what takes part; `sales`,
`warehousing`, `production` and `purchases` what happens; `dirt` spoils a little of it; `load` brings it into a
database; `disturb` changes some of it there at random.
"""

from ledger_pipelines.sources.sample.erp.erp_schema import create_erp_tables, erp_source_tables
from ledger_pipelines.sources.sample.erp.load import seed_erp
from ledger_pipelines.sources.sample.erp.plan import ErpPlan, ErpSummary

__all__ = ["ErpPlan", "ErpSummary", "create_erp_tables", "erp_source_tables", "seed_erp"]
