"""Business partners of customers for a person or a program: what is said, saying it, and what might be."""

from collections.abc import Callable, Mapping
from typing import Any

import sqlalchemy as sa

from ledger_pipelines.ledger.reconciliation import partners
from ledger_pipelines.ledger.reconciliation.suggestions import Suggestion, suggestions
from ledger_pipelines.serving.databases import Databases
from ledger_pipelines.serving.errors import ServingError
from ledger_pipelines.warehouse.engine import reachable
from ledger_pipelines.warehouse.polite import politely
from ledger_pipelines.warehouse.tables import customer_business_partners, customers

_mapping = customer_business_partners.c


def said(databases: Databases, *, customer_id: int | None, limit: int) -> list[Mapping[str, Any]]:
    """What is said of a customer or (None) of all, by customer and partner.

    Raises:
        WarehouseError: the warehouse cannot be used.
    """
    statement = sa.select(customer_business_partners, customers.c.name.label("customer_name")).outerjoin(
        customers, customers.c.customer_id == _mapping.customer_id
    )
    if customer_id is not None:
        statement = statement.where(_mapping.customer_id == customer_id)
    statement = statement.order_by(_mapping.customer_id, _mapping.bp_code).limit(limit)
    with reachable(databases.warehouse), databases.warehouse.connect() as connection:
        return [dict(row) for row in connection.execute(statement).mappings()]


def set_partner(databases: Databases, customer_id: int, bp_code: str, waiting: Callable[[], None]) -> None:
    """Say that a customer is invoiced as a business partner.

    Raises:
        PartnerError: that cannot be said.
        WarehouseError: the warehouse cannot be used.
    """
    politely(databases.warehouse, lambda connection: partners.set_partner(connection, customer_id, bp_code), waiting)


def remove_partner(
    databases: Databases, customer_id: int, bp_code: str | None, waiting: Callable[[], None]
) -> list[partners.Mapping]:
    """Say that a customer is not invoiced as a business partner (None: as any); what was said before.

    Raises:
        ServingError: nothing of the kind was said.
        WarehouseError: the warehouse cannot be used.
    """
    gone = politely(
        databases.warehouse, lambda connection: partners.remove_partner(connection, customer_id, bp_code), waiting
    )
    if not gone:
        who = "a business partner" if bp_code is None else f"the business partner {bp_code!r}"
        raise ServingError(f"Customer {customer_id} has not {who}. See: ledger partners list")
    return gone


def suggested(databases: Databases, limit: int) -> list[Suggestion]:
    """Customers without a partner, and the partners without a customer who look like them.

    Raises:
        WarehouseError: the warehouse cannot be used.
    """
    with reachable(databases.warehouse), databases.warehouse.connect() as connection:
        return suggestions(connection, limit)
