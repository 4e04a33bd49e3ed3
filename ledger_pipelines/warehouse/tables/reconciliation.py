"""The tables of schema ``ledger`` that compare it with the application's totals and the ERP's invoices."""

from typing import Literal, get_args

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

from ledger_pipelines.warehouse.tables.common import (
    ExactNumber,
    Moment,
    MonthKey,
    Rupiah,
    column,
    customer_id,
    key,
    one_of,
    table,
    year_month,
)

#: Reasons why a balance of the ledger and of the application differ; their amounts add up to the difference.
DIFFERENCE_REASONS = {
    "rounding": "rounding to cents in the application's bills and totals",
    "readings_without_price": "bills of readings without a price or factor by any rule",
    "rejected_readings": "bills of readings that cannot be used (ops.rejected_rows)",
    "duplicate_readings": "readings with the same start, of which the application counts one",
    "billed_otherwise": "other readings whose bill (harga_final) is not what the rules give",
    "rejected_deposits": "entries of deposit_history that cannot be used (ops.rejected_rows)",
    "deposits_outside_list": "the list of deposits does not add up to total_deposit",
    "application_total_stale": "total_purchases is out of date: the bills add up to the ledger's amount",
    "unexplained": "none of these",
}

balance_comparison = table(
    "ledger",
    "balance_comparison",
    "Latest balance of each customer, compared with the application's own totals: one row per customer",
    customer_id(),
    column("last_month", MonthKey, "The month of the latest balance; null: the customer has none", null=True),
    column("ledger_balance", Rupiah, "Closing balance of that month; 0 if the customer has none"),
    column(
        "application_balance", ExactNumber, "total_deposit - total_purchases of the application, a null counted as 0"
    ),
    column("difference", ExactNumber, "ledger_balance - application_balance: the sum of the reasons' amounts"),
    column("matches", sa.Boolean, "True if the absolute difference is less than 0.01 rupiah"),
    column("reasons", sa.ARRAY(sa.Text), "The reasons with an amount, if the balances do not match"),
    *(
        column(name, ExactNumber, f"Part of the difference, in rupiah: {why}")
        for name, why in DIFFERENCE_REASONS.items()
    ),
    column("reason_rows", JSONB, "Number of rows of each reason that comes from rows"),
    column("compared_at", Moment, "When this row last changed"),
    key("customer_id"),
    sa.CheckConstraint(f"difference = {' + '.join(DIFFERENCE_REASONS)}", name="reasons"),
    sa.Index("ix_balance_comparison_mismatches", "customer_id", postgresql_where=sa.text("NOT matches")),
)

customer_business_partners = table(
    "ledger",
    "customer_business_partners",
    "Business partners of the ERP as which a customer is invoiced: one row per customer and partner",
    customer_id(),
    column("bp_code", sa.Text, "The business partner: so_invoice_line.bp_code of the ERP"),
    column(
        "origin",
        sa.Text,
        "default: the contract number is the code; set: added by a person; excluded: a default that a person removed",
    ),
    column("since", Moment, "When this row was created or last changed", server_default=sa.func.now()),
    key("customer_id", "bp_code"),
    one_of("origin", ("default", "set", "excluded")),
    sa.Index(None, "bp_code"),
)

#: Result of the comparison of a month of an account.
InvoiceStatus = Literal["matched", "differs", "not_invoiced", "customer_without_partner", "partner_without_customer"]
INVOICE_STATUSES: tuple[InvoiceStatus, ...] = get_args(InvoiceStatus)

invoice_reconciliation = table(
    "ledger",
    "invoice_reconciliation",
    "Purchases of the ledger, compared with the ERP's invoices: one row per month and account",
    year_month("The month of the readings, and of the invoiced deliveries"),
    column("account", sa.Text, "customer:N, the first of the customers; or partner:C for a partner without one"),
    column("customer_id", sa.BigInteger, "The first of the customers; null: the account has no customer", null=True),
    column("customers", sa.ARRAY(sa.BigInteger), "The customers: several if they are invoiced as one partner"),
    column("bp_codes", sa.ARRAY(sa.Text), "The business partners: several if one customer is invoiced as them"),
    column("partner_name", sa.Text, "Name of a business partner on an invoice", null=True),
    column("purchases", Rupiah, "Purchases of the customers in the month, rupiah"),
    column("invoiced", ExactNumber, "Sum of amount_hc of the partners' invoiced lines of the month"),
    column("invoice_lines", sa.BigInteger, "Number of these lines"),
    column("difference", ExactNumber, "purchases - invoiced"),
    column("status", sa.Text, "Result of the reconciliation: docs/rules.md, Invoice reconciliation"),
    column("compared_at", Moment, "When this row last changed"),
    key("year_month", "account"),
    sa.CheckConstraint("difference = purchases - invoiced", name="difference"),
    one_of("status", INVOICE_STATUSES),
    sa.Index(None, "customer_id"),
)
