"""Which business partners of the ERP a customer is invoiced as: `customer_business_partners`.

The rule: docs/rules.md, "Business partners of a customer". Defaults follow the contract numbers at each reconciliation;
what a person has said stays.
"""

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from ledger_pipelines.warehouse.blanks import unpadded
from ledger_pipelines.warehouse.months import Counts, Written, merge, total
from ledger_pipelines.warehouse.session import lock
from ledger_pipelines.warehouse.tables import customer_business_partners, customers, erp_tables

WRITTEN = Written(customer_business_partners, {"since": sa.func.now()}, {"since": sa.func.now()})
_mapping = customer_business_partners.c
#: The business partner of a line of so_invoice_line; NULL if it names none.
line_partner = unpadded(erp_tables["so_invoice_line"].c.bp_code)


class PartnerError(Exception):
    """A customer cannot be given that business partner; the message says why and what to do."""


@dataclass(frozen=True)
class Mapping:
    """A customer and a business partner, and who said so: default, set or excluded."""

    customer_id: int
    bp_code: str
    origin: str


def fill_defaults(connection: sa.Connection) -> Counts:
    """Make the default partners those that the contract numbers name now, in the caller's transaction."""
    lock(connection, customer_business_partners)
    return total(merge(connection, WRITTEN, default_partners(), _mapping.origin == "default"))


def default_partners() -> sa.Select[Any]:
    """One row: a customer whose contract number is the code of a business partner, the content of the table.

    None of a customer who was given partners by hand, nor of a partner who was given to customers by hand.
    """
    by_hand = customer_business_partners.alias("by_hand")
    said = sa.exists(
        sa.select(1).where(
            by_hand.c.origin == "set",
            sa.or_(by_hand.c.customer_id == customers.c.customer_id, by_hand.c.bp_code == line_partner),
        )
    )
    contract = sa.func.btrim(customers.c.no_kontrak)
    excluded = sa.exists(
        sa.select(1).where(
            by_hand.c.origin == "excluded",
            by_hand.c.customer_id == customers.c.customer_id,
            by_hand.c.bp_code == line_partner,
        )
    )
    return (
        sa.select(customers.c.customer_id, line_partner.label("bp_code"), sa.literal("default").label("origin"))
        .join_from(customers, erp_tables["so_invoice_line"], line_partner == contract)
        .where(contract != "", ~said, ~excluded)
        .distinct()
    )


def set_partner(connection: sa.Connection, customer_id: int, bp_code: str) -> None:
    """Say that a customer is invoiced as a business partner, beside those that were set before.

    The defaults of the customer and of the partner give way.

    Raises:
        PartnerError: the customer or the partner is unknown, or the partner's other customers, or the customer's other
            partners, would make it impossible to tell whose the invoices are.
    """
    bp_code = bp_code.rstrip(" ")
    lock(connection, customer_business_partners)
    _check_known(connection, customer_id, bp_code)
    _check_tells_apart(connection, customer_id, bp_code)
    giving_way = sa.or_(_mapping.customer_id == customer_id, _mapping.bp_code == bp_code)
    connection.execute(sa.delete(customer_business_partners).where(_mapping.origin == "default", giving_way))
    setting = insert(customer_business_partners).values(customer_id=customer_id, bp_code=bp_code, origin="set")
    again = {"origin": "set", "since": sa.func.now()}
    connection.execute(
        setting.on_conflict_do_update(
            constraint=customer_business_partners.primary_key, set_=again, where=_mapping.origin != "set"
        )
    )


def remove_partner(connection: sa.Connection, customer_id: int, bp_code: str | None = None) -> list[Mapping]:
    """Say that a customer is not invoiced as a business partner (None: any), and return what was said before.

    What was set is forgotten, and defaults may come back; a default is excluded, and stays so.
    """
    lock(connection, customer_business_partners)
    of = [_mapping.customer_id == customer_id, _mapping.origin != "excluded"]
    if bp_code is not None:
        of.append(_mapping.bp_code == bp_code.rstrip(" "))
    found = connection.execute(sa.select(_mapping.customer_id, _mapping.bp_code, _mapping.origin).where(*of)).all()
    connection.execute(sa.delete(customer_business_partners).where(*of, _mapping.origin == "set"))
    excluded = {"origin": "excluded", "since": sa.func.now()}
    connection.execute(sa.update(customer_business_partners).where(*of, _mapping.origin == "default").values(excluded))
    return [Mapping(*row) for row in found]


def _check_known(connection: sa.Connection, customer_id: int, bp_code: str) -> None:
    known = sa.exists(sa.select(1).where(customers.c.customer_id == customer_id))
    if not connection.scalar(sa.select(known)):
        raise PartnerError(
            f"There is no customer {customer_id} in the warehouse. Customers are named by their id in the billing "
            f"application; one that is new there is loaded by: ledger balance sync --customer-id {customer_id}"
        )
    if not connection.scalar(sa.select(sa.exists(sa.select(1).where(line_partner == bp_code)))):
        raise PartnerError(
            f"No line of so_invoice_line has the business partner {bp_code!r}. Codes are compared to the letter; "
            "see ledger partners suggest, or bring the copy up to date by: ledger sync start"
        )


def _check_tells_apart(connection: sa.Connection, customer_id: int, bp_code: str) -> None:
    """Refuse what would chain customers and partners together: a shared partner is the only one of its customers."""
    pairs = _pairs_around(connection, customer_id, bp_code) | {(customer_id, bp_code)}
    for code in sorted({code for customer, code in pairs if customer == customer_id}):
        sharing = {customer for customer, its in pairs if its == code}
        chained = sorted((customer, its) for customer, its in pairs if customer in sharing and its != code)
        if len(sharing) > 1 and chained:
            customer, other = chained[0]
            raise PartnerError(
                f"Several customers would share the business partner {code!r}, of whom customer {customer} is invoiced "
                f"as {other!r} too: whose the invoices are could not be told. If that is no more so: ledger partners "
                f"remove --customer-id {customer} --bp-code {other}"
            )


def _pairs_around(connection: sa.Connection, customer_id: int, bp_code: str) -> set[tuple[int, str]]:
    """What was set for the customers who have the partner, or one of the customer's."""
    own = sa.select(_mapping.bp_code).where(_mapping.customer_id == customer_id, _mapping.origin == "set")
    near = customer_business_partners.alias("near").c
    neighbours = sa.select(near.customer_id).where(
        near.origin == "set", sa.or_(near.bp_code == bp_code, near.bp_code.in_(own))
    )
    said = sa.select(_mapping.customer_id, _mapping.bp_code).where(
        _mapping.origin == "set", _mapping.customer_id.in_(neighbours)
    )
    return {(row.customer_id, row.bp_code) for row in connection.execute(said)}
