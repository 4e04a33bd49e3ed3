"""The customer that a request names, or an error that says why the customer has no ledger."""

import sqlalchemy as sa

from ledger_pipelines.serving.web.errors import not_found
from ledger_pipelines.settings import Settings
from ledger_pipelines.warehouse.ops.first_computation import never_computed_message
from ledger_pipelines.warehouse.ops.loaded_months import months_loaded
from ledger_pipelines.warehouse.queries.customers import customer as customer_queries
from ledger_pipelines.warehouse.queries.customers.customer import CustomerName, UnknownCustomerError
from ledger_pipelines.warehouse.queries.rejections import customer_rejection_reason
from ledger_pipelines.warehouse.tables import customers


def get_customer(connection: sa.Connection, customer_id: int, settings: Settings) -> CustomerName:
    """Return a customer by id.

    Raises:
        ApiError: the customer has no ledger (404); the message gives the reason.
        UnknownCustomerError: there is no such customer.
    """
    customer = customer_queries.customer_of(connection, customer_id)
    if customer is None and not months_loaded(connection, customers):
        raise not_found(f"There are no customers yet. {never_computed_message(settings)}")
    if customer is None and (reason := customer_rejection_reason(connection, customer_id)):
        raise not_found(
            f"Customer {customer_id} has no balance: the customer's row in the billing application's table users was "
            f"rejected ({reason}). Correct the row there; the balances are then computed."
        )
    if customer is None:
        raise UnknownCustomerError(customer_id)
    return customer
