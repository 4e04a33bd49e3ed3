"""Mapping of customers to the ERP's business partners: `customer_business_partners`.

The rule: docs/rules.md, "Business partners of a customer". Each reconciliation updates the default pairs from the
contract numbers; pairs that were set or excluded by hand stay.
"""

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from ledger_pipelines.errors import LedgerError
from ledger_pipelines.warehouse.merge import Counts, TargetTable, merge_rows, total_counts
from ledger_pipelines.warehouse.padding import unpadded
from ledger_pipelines.warehouse.queries.customers.customer import require_customer
from ledger_pipelines.warehouse.tables import customer_business_partners, customers, erp_tables
from ledger_pipelines.warehouse.transaction_setup import lock_tables

TARGET = TargetTable(customer_business_partners, {"since": sa.func.now()}, {"since": sa.func.now()})
_mapping = customer_business_partners.c
#: Business partner of a line of so_invoice_line; NULL if the line has none.
invoice_line_partner = unpadded(erp_tables["so_invoice_line"].c.bp_code)


@dataclass(frozen=True)
class PartnerMapping:
    """Pair of customer and business partner, with its origin: default, set or excluded."""

    customer_id: int
    bp_code: str
    origin: str


def update_default_partners(connection: sa.Connection) -> Counts:
    """Update the default partners from the current contract numbers, in the caller's transaction."""
    lock_tables(connection, customer_business_partners)
    return total_counts(merge_rows(connection, TARGET, default_partners(), _mapping.origin == "default"))


def default_partners() -> sa.Select[Any]:
    """One row: a customer whose contract number is the code of a business partner, the content of the table.

    Customers and partners that were mapped by hand have no default.
    """
    mapping = customer_business_partners.alias("by_hand")
    mapped_by_hand = sa.exists(
        sa.select(1).where(
            mapping.c.origin == "set",
            sa.or_(mapping.c.customer_id == customers.c.customer_id, mapping.c.bp_code == invoice_line_partner),
        )
    )
    # A blank contract number matches no partner: a blank code is NULL.
    contract = sa.func.btrim(customers.c.no_kontrak)
    excluded = sa.exists(
        sa.select(1).where(
            mapping.c.origin == "excluded",
            mapping.c.customer_id == customers.c.customer_id,
            mapping.c.bp_code == invoice_line_partner,
        )
    )
    return (
        sa.select(customers.c.customer_id, invoice_line_partner.label("bp_code"), sa.literal("default").label("origin"))
        .join_from(customers, erp_tables["so_invoice_line"], invoice_line_partner == contract)
        .where(~mapped_by_hand, ~excluded)
        .distinct()
    )


def set_partner(connection: sa.Connection, customer_id: int, bp_code: str) -> None:
    """Map a customer to a business partner, in addition to partners that were set before.

    The default pairs of the customer and of the partner are deleted.

    Raises:
        UnknownCustomerError: the warehouse has no such customer.
        LedgerError: the partner is unknown; or invoices could not be assigned to one account, because of the
            partner's other customers or the customer's other partners.
    """
    bp_code = bp_code.rstrip(" ")
    lock_tables(connection, customer_business_partners)
    _check_known(connection, customer_id, bp_code)
    _check_unambiguous(connection, customer_id, bp_code)
    replaced = sa.or_(_mapping.customer_id == customer_id, _mapping.bp_code == bp_code)
    connection.execute(sa.delete(customer_business_partners).where(_mapping.origin == "default", replaced))
    setting = insert(customer_business_partners).values(customer_id=customer_id, bp_code=bp_code, origin="set")
    values = {"origin": "set", "since": sa.func.now()}
    connection.execute(
        setting.on_conflict_do_update(
            constraint=customer_business_partners.primary_key, set_=values, where=_mapping.origin != "set"
        )
    )


def remove_partner(connection: sa.Connection, customer_id: int, bp_code: str | None = None) -> list[PartnerMapping]:
    """Remove the mapping of a customer to a business partner (None: all partners), and return the removed pairs.

    Pairs that were set are deleted, so a default may return. Default pairs become excluded, permanently.
    """
    lock_tables(connection, customer_business_partners)
    of = [_mapping.customer_id == customer_id, _mapping.origin != "excluded"]
    if bp_code is not None:
        of.append(_mapping.bp_code == bp_code.rstrip(" "))
    found = connection.execute(sa.select(_mapping.customer_id, _mapping.bp_code, _mapping.origin).where(*of)).all()
    connection.execute(sa.delete(customer_business_partners).where(*of, _mapping.origin == "set"))
    excluded = {"origin": "excluded", "since": sa.func.now()}
    connection.execute(sa.update(customer_business_partners).where(*of, _mapping.origin == "default").values(excluded))
    return [PartnerMapping(*row) for row in found]


def _check_known(connection: sa.Connection, customer_id: int, bp_code: str) -> None:
    require_customer(connection, customer_id)
    if not connection.scalar(sa.select(sa.exists(sa.select(1).where(invoice_line_partner == bp_code)))):
        raise LedgerError(
            f"No line of so_invoice_line has the business partner {bp_code!r}. Codes must match exactly, including "
            "case. List likely partners with: ledger partners suggest. Update the copy with: ledger sync start"
        )


def _check_unambiguous(connection: sa.Connection, customer_id: int, bp_code: str) -> None:
    """Raise LedgerError if a customer of a shared partner would have another partner too."""
    pairs = _pairs_around(connection, customer_id, bp_code) | {(customer_id, bp_code)}
    for code in sorted({code for customer, code in pairs if customer == customer_id}):
        sharing = {customer for customer, its in pairs if its == code}
        chained = sorted((customer, its) for customer, its in pairs if customer in sharing and its != code)
        if len(sharing) > 1 and chained:
            customer, other = chained[0]
            raise LedgerError(
                f"Several customers would share the business partner {code!r}, but customer {customer} is also "
                f"invoiced as {other!r}, so invoices could not be assigned to one account. If the latter is out of "
                f"date: ledger partners remove --customer-id {customer} --bp-code {other}"
            )


def _pairs_around(connection: sa.Connection, customer_id: int, bp_code: str) -> set[tuple[int, str]]:
    """Return the pairs that were set for customers who share the partner or one of the customer's partners."""
    own = sa.select(_mapping.bp_code).where(_mapping.customer_id == customer_id, _mapping.origin == "set")
    near = customer_business_partners.alias("near").c
    neighbours = sa.select(near.customer_id).where(
        near.origin == "set", sa.or_(near.bp_code == bp_code, near.bp_code.in_(own))
    )
    pairs = sa.select(_mapping.customer_id, _mapping.bp_code).where(
        _mapping.origin == "set", _mapping.customer_id.in_(neighbours)
    )
    return {(row.customer_id, row.bp_code) for row in connection.execute(pairs)}
