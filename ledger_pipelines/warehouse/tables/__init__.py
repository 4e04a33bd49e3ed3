"""Every table of the warehouse, declared once: columns, types, keys and comments.

Contains only declarations, one module per group of tables. ``merge.py`` writes the months of a table. ``migrations/``
changes the schema; a test compares the migrated schema with the declarations. The ERP's tables are derived from their
catalogue, which is a declaration that depends on no library.
"""

from ledger_pipelines.warehouse.tables.access import api_tokens, audit_log, sessions
from ledger_pipelines.warehouse.tables.billing import customers, deposits, meter_readings, prices
from ledger_pipelines.warehouse.tables.common import (
    SCHEMAS,
    ExactNumber,
    Moment,
    MonthKey,
    Rupiah,
    StandardVolume,
    metadata,
)
from ledger_pipelines.warehouse.tables.erp import erp_tables, source_fingerprints, sync_log_tables, sync_logs
from ledger_pipelines.warehouse.tables.incidents import deletion_confirmations, incidents
from ledger_pipelines.warehouse.tables.ledger import (
    balance_alerts,
    balance_thresholds,
    monthly_customer_balances,
    stale_months,
    transaction_calculations,
)
from ledger_pipelines.warehouse.tables.ops import (
    leases,
    loaded_months,
    pending_changes,
    realtime_batches,
    rejected_rows,
    watermarks,
    write_locks,
)
from ledger_pipelines.warehouse.tables.reconciliation import (
    DIFFERENCE_REASONS,
    INVOICE_STATUSES,
    InvoiceStatus,
    balance_comparison,
    customer_business_partners,
    invoice_reconciliation,
)

__all__ = [
    "DIFFERENCE_REASONS",
    "INVOICE_STATUSES",
    "SCHEMAS",
    "ExactNumber",
    "InvoiceStatus",
    "Moment",
    "MonthKey",
    "Rupiah",
    "StandardVolume",
    "api_tokens",
    "audit_log",
    "balance_alerts",
    "balance_comparison",
    "balance_thresholds",
    "customer_business_partners",
    "customers",
    "deletion_confirmations",
    "deposits",
    "erp_tables",
    "incidents",
    "invoice_reconciliation",
    "leases",
    "loaded_months",
    "metadata",
    "meter_readings",
    "monthly_customer_balances",
    "pending_changes",
    "prices",
    "realtime_batches",
    "rejected_rows",
    "sessions",
    "source_fingerprints",
    "stale_months",
    "sync_log_tables",
    "sync_logs",
    "transaction_calculations",
    "watermarks",
    "write_locks",
]
