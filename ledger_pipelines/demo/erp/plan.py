"""Plan and summary of the demo's ERP."""

from dataclasses import dataclass
from typing import ClassVar

from ledger_pipelines.demo.plan import DemoPlan


@dataclass(frozen=True, kw_only=True)
class ErpDemoPlan(DemoPlan):
    """Plan of the ERP's demo.

    Attributes:
        rows_per_month: approximate number of rows of `so_invoice_line` per month. The other dated tables are in
            proportion: a quarter as many receipts, an eighth as many warehouse and production orders. The stock grows
            with it up to some thousands of parts.
    """

    limits: ClassVar[dict[str, int]] = {"months": 240, "rows_per_month": 5_000_000}

    rows_per_month: int = 300


@dataclass(frozen=True)
class ErpDemoSummary:
    """Summary of a seeded ERP database.

    Attributes:
        rows: number of rows by table, in the catalogue's order.
        first_month: the plan's first month, such as `2023-04`.
        last_month: the plan's current month.
        dirt: number of rows that each kind of fault made or touched; 0 for a kind that does not fit into the plan.
        already_there: whether an earlier run of the same plan had written everything, and this run nothing.
    """

    rows: dict[str, int]
    first_month: str
    last_month: str
    dirt: dict[str, int]
    already_there: bool = False
