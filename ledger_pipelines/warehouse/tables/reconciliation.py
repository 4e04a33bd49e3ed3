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
    "rounding": "cents of rounding in the application's bills and totals",
    "readings_without_price": "bills of readings that have no price or factor by any rule",
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
    "The latest balance of each customer against the billing application's own totals: one row a customer",
    customer_id(),
    column("last_month", MonthKey, "The month of the latest balance; null: the customer has none", null=True),
    column("ledger_balance", Rupiah, "Closing balance of that month; 0 if the customer has none"),
    column(
        "application_balance", ExactNumber, "total_deposit - total_purchases of the application; 0 for what is null"
    ),
    column("difference", ExactNumber, "ledger_balance - application_balance: the sum of the reasons' amounts"),
    column("matches", sa.Boolean, "True if the difference is below 0.01 rupiah either way"),
    column("reasons", sa.ARRAY(sa.Text), "The reasons with an amount, if the balances do not match"),
    *(column(name, ExactNumber, f"Rupiah of the difference: {why}") for name, why in DIFFERENCE_REASONS.items()),
    column("reason_rows", JSONB, "How many rows stand for each reason that comes from rows"),
    column("compared_at", Moment, "When this row last changed"),
    key("customer_id"),
    sa.CheckConstraint(f"difference = {' + '.join(DIFFERENCE_REASONS)}", name="reasons"),
    sa.Index("ix_balance_comparison_mismatches", "customer_id", postgresql_where=sa.text("NOT matches")),
)

customer_business_partners = table(
    "ledger",
    "customer_business_partners",
    "Which business partners of the ERP a customer is invoiced as: one row a customer and partner",
    customer_id(),
    column("bp_code", sa.Text, "The business partner: so_invoice_line.bp_code of the ERP"),
    column(
        "origin",
        sa.Text,
        "default: the contract number is the code; set: by a person; excluded: by a person",
    ),
    column("since", Moment, "Since when it is so", server_default=sa.func.now()),
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
    "Purchases of the ledger against the ERP's invoices: one row a month and account",
    year_month("The month of the readings, and of the deliveries that the invoices are about"),
    column("account", sa.Text, "customer:N, the first of the customers; or partner:C for a partner without one"),
    column("customer_id", sa.BigInteger, "The first of the customers; null: the account has no customer", null=True),
    column("customers", sa.ARRAY(sa.BigInteger), "The customers: several if they are invoiced as one partner"),
    column("bp_codes", sa.ARRAY(sa.Text), "The business partners: several if one customer is invoiced as them"),
    column("partner_name", sa.Text, "Name of a business partner, as an invoice has it", null=True),
    column("purchases", Rupiah, "Purchases of the customers in the month, rupiah"),
    column("invoiced", ExactNumber, "Sum of amount_hc of the partners' invoiced lines of the month"),
    column("invoice_lines", sa.BigInteger, "How many invoiced lines that are"),
    column("difference", ExactNumber, "purchases - invoiced"),
    column("status", sa.Text, "Result of the reconciliation: docs/rules.md, Invoice reconciliation"),
    column("compared_at", Moment, "When this row last changed"),
    key("year_month", "account"),
    sa.CheckConstraint("difference = purchases - invoiced", name="difference"),
    one_of("status", INVOICE_STATUSES),
    sa.Index(None, "customer_id"),
)
