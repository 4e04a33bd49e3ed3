"""All views of the schema `analytics`, in the order of creation and listing."""

from ledger_pipelines.analytics import balances, orders, prices, stock, trade

VIEWS = (*balances.VIEWS, *prices.VIEWS, *stock.VIEWS, *orders.VIEWS, *trade.VIEWS)


def create_views_sql() -> str:
    """Return the SQL that creates all views and their comments, in the form used by migrations."""
    return "".join(f"{statement};\n" for view in VIEWS for statement in view.sql())
