"""What the demo's ERP is to hold, and what it came to hold."""

from dataclasses import dataclass
from typing import ClassVar

from ledger_pipelines.sources.sample.plan import Plan


@dataclass(frozen=True, kw_only=True)
class ErpPlan(Plan):
    """What to make of the ERP.

    Attributes:
        rows_per_month: about how many rows of `so_invoice_line` each month's sales orders lead to. The other dated
            tables follow in proportion: a quarter as many receipts, an eighth as many orders of warehouse and
            production. The stock grows with it up to some thousands of parts.
    """

    limits: ClassVar[dict[str, int]] = {"months": 240, "rows_per_month": 5_000_000}

    rows_per_month: int = 300


@dataclass(frozen=True)
class ErpSummary:
    """What a seeded ERP holds.

    Attributes:
        rows: by table, in the catalogue's order.
        first_month: the plan's first month, such as `2023-04`.
        last_month: the plan's current month.
        dirt: how many rows each kind of fault made or touched; 0 for a kind that the plan has no room for.
        already_there: whether an earlier run of the same plan had made all this and nothing was written.
    """

    rows: dict[str, int]
    first_month: str
    last_month: str
    dirt: dict[str, int]
    already_there: bool = False
