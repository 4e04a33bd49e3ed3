"""Which business partner a customer without one might be: what looks alike, for a person to decide."""

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from ledger_pipelines.ledger.reconciliation.partners import line_partner
from ledger_pipelines.warehouse.tables import (
    customer_business_partners,
    customers,
    erp_tables,
    invoice_reconciliation,
)

_mapping, _line, _account = (
    customer_business_partners.c,
    erp_tables["so_invoice_line"].c,
    invoice_reconciliation.c,
)
_NO_LETTER_OR_DIGIT = "[^A-Z0-9]"
_LEGAL_FORM_OR_NO_LETTER = r"\m(PT|CV|UD|TBK)\M|[^A-Z0-9]"


@dataclass(frozen=True)
class Suggestion:
    """A customer and a business partner that nobody has yet and that may be the same.

    Attributes:
        customer_id: The customer.
        customer_name: As in the application.
        bp_code: The business partner.
        partner_name: As an invoice has it.
        same_contract: Whether contract number and code are the same but for case and punctuation.
        same_name: Whether the names are, legal forms such as PT aside.
        equal_months: In how many reconciled months purchases and invoices are the same rupiah.
    """

    customer_id: int
    customer_name: str | None
    bp_code: str
    partner_name: str | None
    same_contract: bool
    same_name: bool
    equal_months: int


def suggestions(connection: sa.Connection, limit: int) -> list[Suggestion]:
    """The likeliest first: by contract number, by name, by the number of months with equal amounts."""
    return [Suggestion(*row) for row in connection.execute(_alike().limit(limit))]


def _alike() -> sa.Select[Any]:
    """One row: a customer without a partner and a partner without a customer, and what they have in common."""
    free, unknown = _free_customers().cte("free_customers"), _unknown_partners().cte("unknown_partners")
    signs = sa.union_all(
        _sign(free, unknown, free.c.contract == unknown.c.code, contract=1),
        _sign(free, unknown, free.c.plain_name == unknown.c.plain_name, name=1),
        _equal_months(free, unknown),
    ).subquery("signs")
    contract, name, months = (sa.func.sum(signs.c[kind]) for kind in ("contract", "name", "months"))
    excluded = sa.exists(
        sa.select(1).where(_mapping.customer_id == signs.c.customer_id, _mapping.bp_code == signs.c.bp_code)
    )
    return (
        sa.select(
            signs.c.customer_id,
            sa.func.max(free.c.name),
            signs.c.bp_code,
            sa.func.max(unknown.c.name),
            contract > 0,
            name > 0,
            sa.cast(months, sa.BigInteger),
        )
        .join(free, free.c.customer_id == signs.c.customer_id)
        .join(unknown, unknown.c.bp_code == signs.c.bp_code)
        .where(~excluded)
        .group_by(signs.c.customer_id, signs.c.bp_code)
        .order_by((contract > 0).desc(), (name > 0).desc(), months.desc(), signs.c.customer_id, signs.c.bp_code)
    )


def _free_customers() -> sa.Select[Any]:
    """One row: a customer without a business partner, with contract number and name reduced to what matters."""
    has_one = sa.exists(
        sa.select(1).where(_mapping.customer_id == customers.c.customer_id, _mapping.origin != "excluded")
    )
    return sa.select(
        customers.c.customer_id,
        customers.c.name,
        _reduced(customers.c.no_kontrak, _NO_LETTER_OR_DIGIT).label("contract"),
        _reduced(customers.c.name, _LEGAL_FORM_OR_NO_LETTER).label("plain_name"),
    ).where(~has_one)


def _unknown_partners() -> sa.Select[Any]:
    """One row: a business partner who has been invoiced and is no customer's, likewise."""
    known = sa.exists(sa.select(1).where(_mapping.bp_code == line_partner, _mapping.origin != "excluded"))
    name = sa.func.max(_line.bp_name)
    return (
        sa.select(
            line_partner.label("bp_code"),
            name.label("name"),
            _reduced(line_partner, _NO_LETTER_OR_DIGIT).label("code"),
            _reduced(name, _LEGAL_FORM_OR_NO_LETTER).label("plain_name"),
        )
        .where(line_partner.is_not(None), _line.invoice_date.is_not(None), ~known)
        .group_by(line_partner)
    )


def _reduced(text: sa.ColumnElement[Any], without: str) -> sa.ColumnElement[Any]:
    """A text in capitals without what matches; NULL if nothing is left, which equals nothing."""
    return sa.func.nullif(sa.func.regexp_replace(sa.func.upper(text), without, "", "g"), "")


def _sign(
    free: sa.CTE, unknown: sa.CTE, alike: sa.ColumnElement[bool], *, contract: int = 0, name: int = 0
) -> sa.Select[Any]:
    """One row: a customer and a partner who are alike in one respect."""
    return sa.select(
        free.c.customer_id,
        unknown.c.bp_code,
        sa.literal(contract).label("contract"),
        sa.literal(name).label("name"),
        sa.literal(0).label("months"),
    ).join_from(free, unknown, alike)


def _equal_months(free: sa.CTE, unknown: sa.CTE) -> sa.Select[Any]:
    """One row: a customer and a partner, and in how many months the one bought for what the other was invoiced."""
    other = invoice_reconciliation.alias("other")
    same_amount = sa.and_(
        other.c.year_month == _account.year_month,
        other.c.status == "partner_without_customer",
        sa.func.round(other.c.invoiced) == sa.func.round(_account.purchases),
    )
    return (
        sa.select(free.c.customer_id, unknown.c.bp_code, sa.literal(0), sa.literal(0), sa.func.count())
        .join_from(invoice_reconciliation, other, same_amount)
        .join(free, free.c.customer_id == _account.customer_id)
        .join(unknown, unknown.c.bp_code == other.c.bp_codes[1])
        .where(_account.status == "customer_without_partner")
        .group_by(free.c.customer_id, unknown.c.bp_code)
    )
