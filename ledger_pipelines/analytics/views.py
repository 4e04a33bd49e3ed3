"""Every view of the schema `analytics`, in the order in which they are listed and created."""

from ledger_pipelines.analytics import balances, orders, prices, stock, trade

VIEWS = (*balances.VIEWS, *prices.VIEWS, *stock.VIEWS, *orders.VIEWS, *trade.VIEWS)


def creation() -> str:
    """The SQL that creates all views and their comments, as a migration holds it."""
    return "".join(f"{statement};\n" for view in VIEWS for statement in view.sql())
