"""Business partners of customers: list, set, remove and suggest them."""

from collections.abc import Callable, Mapping
from typing import Any

from ledger_pipelines.ledger.reconciliation import partners
from ledger_pipelines.ledger.reconciliation.suggestions import PartnerSuggestion, partner_suggestions
from ledger_pipelines.serving.base.databases import Databases
from ledger_pipelines.serving.base.errors import ServingError
from ledger_pipelines.warehouse.lock_retry import with_lock_retry
from ledger_pipelines.warehouse.queries.customers.customer import with_customer_name
from ledger_pipelines.warehouse.tables import customer_business_partners

_mapping = customer_business_partners.c


def mappings(databases: Databases, *, customer_id: int | None, limit: int) -> list[Mapping[str, Any]]:
    """Return the partners of a customer, or of all for None, ordered by customer and partner.

    Raises:
        WarehouseError: the warehouse cannot be used.
    """
    statement = with_customer_name(customer_business_partners)
    if customer_id is not None:
        statement = statement.where(_mapping.customer_id == customer_id)
    statement = statement.order_by(_mapping.customer_id, _mapping.bp_code).limit(limit)
    with databases.warehouse_connection() as connection:
        return [dict(row) for row in connection.execute(statement).mappings()]


def set_partner(databases: Databases, customer_id: int, bp_code: str, waiting: Callable[[], None]) -> None:
    """Add a business partner to a customer; ``waiting`` is called if that has to wait for a reconciliation.

    Raises:
        UnknownCustomerError: the customer is not in the warehouse.
        LedgerError: the partner does not exist, or the mapping would be ambiguous.
        WarehouseError: the warehouse cannot be used.
    """
    with_lock_retry(
        databases.warehouse, lambda connection: partners.set_partner(connection, customer_id, bp_code), waiting
    )


def remove_partner(
    databases: Databases, customer_id: int, bp_code: str | None, waiting: Callable[[], None]
) -> list[partners.PartnerMapping]:
    """Remove a business partner, or all for None, from a customer; return the removed mappings.

    Raises:
        ServingError: the customer has no such partner.
        WarehouseError: the warehouse cannot be used.
    """
    removed = with_lock_retry(
        databases.warehouse, lambda connection: partners.remove_partner(connection, customer_id, bp_code), waiting
    )
    if not removed:
        partner = "business partner" if bp_code is None else f"business partner {bp_code!r}"
        raise ServingError(f"Customer {customer_id} has no {partner}. To list them: ledger partners list")
    return removed


def suggest_partners(databases: Databases, limit: int) -> list[PartnerSuggestion]:
    """Return customers without a partner, each with a matching partner that has no customer.

    Raises:
        WarehouseError: the warehouse cannot be used.
    """
    with databases.warehouse_connection() as connection:
        return partner_suggestions(connection, limit)
