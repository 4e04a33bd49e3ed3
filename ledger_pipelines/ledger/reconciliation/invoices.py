"""Purchases of the ledger compared with the ERP's invoices, month by month → `invoice_reconciliation`.

The rule: docs/rules.md, "Invoice reconciliation". An account groups customers and business partners that belong
together. Each customer and each partner is in exactly one account, so no amount is counted twice.
"""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import array

from ledger_pipelines.horizon import Scope
from ledger_pipelines.ledger.reconciliation.partners import invoice_line_partner, update_default_partners
from ledger_pipelines.warehouse.merge import Counts, TargetTable, merge_rows, qualified_name
from ledger_pipelines.warehouse.ops.loaded_months import mark_loaded, require_loaded
from ledger_pipelines.warehouse.table_report import TableReport
from ledger_pipelines.warehouse.tables import (
    ExactNumber,
    Rupiah,
    customer_business_partners,
    erp_tables,
    invoice_reconciliation,
    monthly_customer_balances,
)
from ledger_pipelines.warehouse.transaction_setup import avoid_nested_loops, lock_tables

TARGET = TargetTable(
    invoice_reconciliation, stamps={"compared_at": sa.func.now()}, stamps_on_change={"compared_at": sa.func.now()}
)
#: Amounts that differ by less than this match, because no coin is smaller than one rupiah.
MATCH_TOLERANCE = sa.literal(Decimal(1), ExactNumber)
_mapping, _balance = customer_business_partners.c, monthly_customer_balances.c
_line = erp_tables["so_invoice_line"].c


def reconcile_invoices(connection: sa.Connection, months: Sequence[str], run_id: str) -> TableReport:
    """Reconcile months, in the caller's transaction; unchanged rows keep their ``compared_at``.

    Default partners are updated first. The tables of the ledger and the ERP are read and not locked.

    Raises:
        InputNotLoadedError: balances or invoices of the months have never been loaded.
    """
    lock_tables(connection, invoice_reconciliation)
    avoid_nested_loops(connection, Scope(tuple(months)))
    for table in (monthly_customer_balances, erp_tables["so_invoice_line"]):
        require_loaded(connection, table, months, invoice_reconciliation.name)
    update_default_partners(connection)
    within = invoice_reconciliation.c.year_month.in_(months)
    counts = merge_rows(connection, TARGET, reconciled_accounts(months), within)
    mark_loaded(connection, invoice_reconciliation, months, run_id)
    return TableReport(qualified_name(invoice_reconciliation), {month: Counts() for month in months} | counts)


def reconciled_accounts(months: Sequence[str]) -> sa.Select[Any]:
    """One row: a month and account with purchases or invoices, the content of the table."""
    accounts, groups = _sums(months).subquery("accounts"), _members().subquery("groups")
    of, members = accounts.c, groups.c
    difference = of.purchases - of.invoiced
    has_no_customer, has_no_partner = of.customer_id.is_(None), members.customer_id.is_(None)
    no_customers, no_partners = array([], type_=sa.BigInteger), array([], type_=sa.Text)
    customers = sa.case(
        (has_no_customer, no_customers), (has_no_partner, array([of.customer_id])), else_=members.customers
    )
    bp_codes = sa.case((has_no_customer, array([of.bp_code])), (has_no_partner, no_partners), else_=members.bp_codes)
    status = sa.case(
        (has_no_customer, "partner_without_customer"),
        (has_no_partner, "customer_without_partner"),
        (sa.func.abs(difference) < MATCH_TOLERANCE, "matched"),
        (of.invoice_lines == 0, "not_invoiced"),
        else_="differs",
    )
    return sa.select(
        of.year_month,
        of.account,
        of.customer_id,
        customers.label("customers"),
        bp_codes.label("bp_codes"),
        of.partner_name,
        of.purchases,
        of.invoiced,
        of.invoice_lines,
        difference.label("difference"),
        status.label("status"),
    ).outerjoin_from(accounts, groups, members.customer_id == of.customer_id)


def _sums(months: Sequence[str]) -> sa.Select[Any]:
    """One row: a month and account with purchases or invoices, both summed; customer_id is null without a customer."""
    sides = sa.union_all(_purchases(months), _invoices(months)).subquery("sides").c
    account = sa.case(
        (sides.customer_id.is_not(None), sa.literal("customer:").concat(sa.cast(sides.customer_id, sa.Text))),
        else_=sa.literal("partner:").concat(sides.bp_code),
    )
    return sa.select(
        sides.year_month,
        account.label("account"),
        sides.customer_id,
        sa.func.min(sides.bp_code).label("bp_code"),
        sa.func.max(sides.partner_name).label("partner_name"),
        sa.cast(sa.func.sum(sides.purchases), Rupiah).label("purchases"),
        sa.func.sum(sides.invoiced).label("invoiced"),
        sa.cast(sa.func.sum(sides.invoice_lines), sa.BigInteger).label("invoice_lines"),
    ).group_by(sides.year_month, account, sides.customer_id)


def _purchases(months: Sequence[str]) -> sa.Select[Any]:
    """One row: a month and customer with purchases; customer_id is the first customer of the account."""
    account = _first_customers("customer_id").subquery("account")
    return (
        sa.select(
            _balance.year_month,
            sa.func.coalesce(account.c.first, _balance.customer_id).label("customer_id"),
            sa.null().cast(sa.Text).label("bp_code"),
            sa.null().cast(sa.Text).label("partner_name"),
            _balance.total_purchases.label("purchases"),
            sa.literal(0, ExactNumber).label("invoiced"),
            sa.literal(0, sa.BigInteger).label("invoice_lines"),
        )
        .outerjoin_from(monthly_customer_balances, account, account.c.customer_id == _balance.customer_id)
        .where(_balance.year_month.in_(months), _balance.total_purchases != 0)
    )


def _invoices(months: Sequence[str]) -> sa.Select[Any]:
    """One row: a month and business partner with invoiced lines; customer_id is the first customer of the account."""
    account = _first_customers("bp_code").subquery("account")
    bp_code = sa.func.coalesce(invoice_line_partner, sa.literal_column("''"))
    invoiced = (
        sa.select(
            _line.year_month,
            bp_code.label("bp_code"),
            sa.func.max(_line.bp_name).label("partner_name"),
            sa.func.coalesce(sa.func.sum(_line.amount_hc), 0).label("invoiced"),
            sa.func.count().label("invoice_lines"),
        )
        .where(_line.year_month.in_(months), _line.invoice_date.is_not(None))
        .group_by(_line.year_month, bp_code)
        .subquery("invoiced")
    )
    of = invoiced.c
    nothing, first = sa.literal(0, Rupiah), account.c.first
    return sa.select(
        of.year_month, first, of.bp_code, of.partner_name, nothing, of.invoiced, of.invoice_lines
    ).outerjoin_from(invoiced, account, account.c.bp_code == of.bp_code)


def _first_customers(column: str) -> sa.Select[Any]:
    """One row: a mapped customer_id or bp_code (``column``), and the first customer of its account."""
    pairs = _pairs().subquery("pairs").c
    key = pairs[column]
    return sa.select(key, sa.func.min(pairs.first).label("first")).group_by(key)


def _pairs() -> sa.Select[Any]:
    """One row: a customer, a business partner, and the first of the customers who share the partner."""
    first = sa.func.min(_mapping.customer_id).over(partition_by=_mapping.bp_code)
    return sa.select(_mapping.customer_id, _mapping.bp_code, first.label("first")).where(_mapping.origin != "excluded")


def _members() -> sa.Select[Any]:
    """One row: an account's first customer, all its customers, and all its business partners."""
    by_customer, by_partner = (_first_customers(name).subquery(f"of_{name}").c for name in ("customer_id", "bp_code"))
    account_customers = sa.select(
        by_customer.first, sa.func.array_agg(by_customer.customer_id.distinct()).label("customers")
    ).group_by(by_customer.first)
    account_partners = sa.select(
        by_partner.first, sa.func.array_agg(by_partner.bp_code.distinct()).label("bp_codes")
    ).group_by(by_partner.first)
    customers, partners = account_customers.subquery("own"), account_partners.subquery("theirs")
    return sa.select(customers.c.first.label("customer_id"), customers.c.customers, partners.c.bp_codes).join_from(
        customers, partners, partners.c.first == customers.c.first
    )
