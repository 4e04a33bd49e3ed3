"""Suggested business partners for customers without one, by similarity; a person decides."""

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from ledger_pipelines.ledger.reconciliation.partners import invoice_line_partner
from ledger_pipelines.warehouse.tables import customer_business_partners, customers, erp_tables, invoice_reconciliation

_mapping, _line, _account = (
    customer_business_partners.c,
    erp_tables["so_invoice_line"].c,
    invoice_reconciliation.c,
)
_NO_LETTER_OR_DIGIT = "[^A-Z0-9]"
_LEGAL_FORM_OR_NO_LETTER = r"\m(PT|CV|UD|TBK)\M|[^A-Z0-9]"


@dataclass(frozen=True)
class PartnerSuggestion:
    """Unmapped customer and unmapped business partner that may be the same company.

    Attributes:
        customer_id: The customer.
        customer_name: Name in the billing application.
        bp_code: The business partner.
        partner_name: Name on an invoice.
        same_contract: True if contract number and code are equal without case and punctuation.
        same_name: True if the names are equal without case, punctuation and legal forms such as PT.
        equal_months: Number of reconciled months in which purchases and invoices are equal to the rupiah.
    """

    customer_id: int
    customer_name: str | None
    bp_code: str
    partner_name: str | None
    same_contract: bool
    same_name: bool
    equal_months: int


def partner_suggestions(connection: sa.Connection, limit: int) -> list[PartnerSuggestion]:
    """Return suggestions, the likeliest first: by contract number, name, and number of months with equal amounts."""
    return [PartnerSuggestion(*row) for row in connection.execute(_likely_pairs().limit(limit))]


def _likely_pairs() -> sa.Select[Any]:
    """One row: a customer without a partner and a partner without a customer, with their matches."""
    unmapped, partners = _unmapped_customers().cte("free_customers"), _unmapped_partners().cte("unknown_partners")
    matches = sa.union_all(
        _match(unmapped, partners, unmapped.c.contract == partners.c.code, contract=1),
        _match(unmapped, partners, unmapped.c.plain_name == partners.c.plain_name, name=1),
        _equal_months(unmapped, partners),
    ).subquery("signs")
    contract, name, months = (sa.func.sum(matches.c[kind]) for kind in ("contract", "name", "months"))
    excluded = sa.exists(
        sa.select(1).where(_mapping.customer_id == matches.c.customer_id, _mapping.bp_code == matches.c.bp_code)
    )
    return (
        sa.select(
            matches.c.customer_id,
            sa.func.max(unmapped.c.name),
            matches.c.bp_code,
            sa.func.max(partners.c.name),
            contract > 0,
            name > 0,
            sa.cast(months, sa.BigInteger),
        )
        .join(unmapped, unmapped.c.customer_id == matches.c.customer_id)
        .join(partners, partners.c.bp_code == matches.c.bp_code)
        .where(~excluded)
        .group_by(matches.c.customer_id, matches.c.bp_code)
        .order_by((contract > 0).desc(), (name > 0).desc(), months.desc(), matches.c.customer_id, matches.c.bp_code)
    )


def _unmapped_customers() -> sa.Select[Any]:
    """One row: a customer without a business partner, with contract number and name in normal form."""
    has_one = sa.exists(
        sa.select(1).where(_mapping.customer_id == customers.c.customer_id, _mapping.origin != "excluded")
    )
    return sa.select(
        customers.c.customer_id,
        customers.c.name,
        _normalised(customers.c.no_kontrak, _NO_LETTER_OR_DIGIT).label("contract"),
        _normalised(customers.c.name, _LEGAL_FORM_OR_NO_LETTER).label("plain_name"),
    ).where(~has_one)


def _unmapped_partners() -> sa.Select[Any]:
    """One row: an invoiced business partner without a customer, with code and name in normal form."""
    known = sa.exists(sa.select(1).where(_mapping.bp_code == invoice_line_partner, _mapping.origin != "excluded"))
    name = sa.func.max(_line.bp_name)
    return (
        sa.select(
            invoice_line_partner.label("bp_code"),
            name.label("name"),
            _normalised(invoice_line_partner, _NO_LETTER_OR_DIGIT).label("code"),
            _normalised(name, _LEGAL_FORM_OR_NO_LETTER).label("plain_name"),
        )
        .where(invoice_line_partner.is_not(None), _line.invoice_date.is_not(None), ~known)
        .group_by(invoice_line_partner)
    )


def _normalised(text: sa.ColumnElement[Any], pattern: str) -> sa.ColumnElement[Any]:
    """Return a text in upper case without the parts that match a pattern; NULL, which equals no text, if empty."""
    return sa.func.nullif(sa.func.regexp_replace(sa.func.upper(text), pattern, "", "g"), "")


def _match(
    unmapped: sa.CTE, partners: sa.CTE, condition: sa.ColumnElement[bool], *, contract: int = 0, name: int = 0
) -> sa.Select[Any]:
    """One row: a customer and a partner that match in one respect."""
    return sa.select(
        unmapped.c.customer_id,
        partners.c.bp_code,
        sa.literal(contract).label("contract"),
        sa.literal(name).label("name"),
        sa.literal(0).label("months"),
    ).join_from(unmapped, partners, condition)


def _equal_months(unmapped: sa.CTE, partners: sa.CTE) -> sa.Select[Any]:
    """One row: a customer, a partner, and the number of months with equal purchases and invoices."""
    other = invoice_reconciliation.alias("other")
    same_amount = sa.and_(
        other.c.year_month == _account.year_month,
        other.c.status == "partner_without_customer",
        sa.func.round(other.c.invoiced) == sa.func.round(_account.purchases),
    )
    return (
        sa.select(unmapped.c.customer_id, partners.c.bp_code, sa.literal(0), sa.literal(0), sa.func.count())
        .join_from(invoice_reconciliation, other, same_amount)
        .join(unmapped, unmapped.c.customer_id == _account.customer_id)
        .join(partners, partners.c.bp_code == other.c.bp_codes[1])
        .where(_account.status == "customer_without_partner")
        .group_by(unmapped.c.customer_id, partners.c.bp_code)
    )
