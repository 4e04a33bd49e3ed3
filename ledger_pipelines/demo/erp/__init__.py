"""Generator of the demo's ERP: all tables of the catalogue, deterministic, with the faults of real data.

`plan` defines size and period; `schema` declares the tables; `entities` generates partners and parts; `sales`,
`warehousing`, `production` and `purchases` generate the events; `declared_rows` generates rows of any other table;
`faults` injects faults; `load` writes everything into a database; `mutate` changes rows there at random.
"""

from ledger_pipelines.demo.erp.load import seed_erp
from ledger_pipelines.demo.erp.plan import ErpDemoPlan, ErpDemoSummary
from ledger_pipelines.demo.erp.schema import create_erp_tables, erp_source_tables

__all__ = ["ErpDemoPlan", "ErpDemoSummary", "create_erp_tables", "erp_source_tables", "seed_erp"]
