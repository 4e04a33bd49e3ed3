"""Example of an analysis: query the warehouse with SQLAlchemy and pandas, and write a page of Plotly charts.

    export ANALYST_URL=postgresql+psycopg://analyst:password@127.0.0.1:54329/warehouse
    python examples/analysis.py report.html

`ledger analyst create` creates the role. docs/data-dictionary.md describes the columns, docs/analytics.md has more
queries. The page works offline. The charts use floats; the numbers in the warehouse are exact.
"""

import os
import sys
from pathlib import Path

import pandas as pd
import plotly.express as px
import plotly.graph_objects as go
import sqlalchemy as sa

MONTHS = "SELECT year_month, total_deposits, total_purchases, closing_balance, total_volume_sm3 FROM monthly_summary"
TREND = "SELECT customer_id, name, year_month, total_volume_sm3, total_purchases FROM consumption_trend"
DEBTS = "SELECT name, closing_balance FROM current_balances WHERE owes ORDER BY closing_balance LIMIT 15"
INVOICES = (
    "SELECT year_month, status, sum(purchases) AS purchases, sum(invoiced) AS invoiced FROM invoice_reconciliation "
    "WHERE status <> 'partner_without_customer' GROUP BY year_month, status ORDER BY year_month, status"
)
RECEIPTS = "SELECT bp_name, state, is_overdue, amount FROM open_receipts WHERE currency = 'IDR'"
LARGEST = 5


def read(engine: sa.Engine, query: str) -> pd.DataFrame:
    """Return the rows of a query, with exact numbers converted to floats for plotting."""
    with engine.connect() as connection:
        return pd.read_sql(sa.text(query), connection, coerce_float=True)


def months(engine: sa.Engine) -> go.Figure:
    """Plot deposits and purchases by month."""
    frame = read(engine, MONTHS).sort_values("year_month")
    long = frame.melt("year_month", ["total_deposits", "total_purchases"], "what", "rupiah")
    return px.bar(long, x="year_month", y="rupiah", color="what", barmode="group", title="Deposits and purchases")


def consumption(engine: sa.Engine) -> go.Figure:
    """Plot the monthly volume of the largest customers."""
    frame = read(engine, TREND)
    largest = frame.groupby("name")["total_volume_sm3"].sum().nlargest(LARGEST).index
    frame = frame[frame["name"].isin(largest)].sort_values(["name", "year_month"])
    return px.line(frame, x="year_month", y="total_volume_sm3", color="name", title=f"Volume of the {LARGEST} largest")


def debts(engine: sa.Engine) -> go.Figure:
    """Plot the largest debts."""
    frame = read(engine, DEBTS)
    frame["rupiah"] = -frame["closing_balance"]
    return px.bar(frame, x="rupiah", y="name", orientation="h", title="Largest debts now")


def invoices(engine: sa.Engine) -> go.Figure:
    """Plot purchases by month and invoice status."""
    frame = read(engine, INVOICES)
    return px.bar(frame, x="year_month", y="purchases", color="status", title="Purchases by invoice status")


def receipts(engine: sa.Engine) -> go.Figure:
    """Plot receipts that are not invoiced or not paid, by supplier."""
    frame = read(engine, RECEIPTS).groupby(["bp_name", "state"], as_index=False)["amount"].sum()
    return px.bar(frame, x="amount", y="bp_name", color="state", orientation="h", title="Receipts not invoiced or paid")


def report(engine: sa.Engine, path: Path) -> None:
    """Write a page with all charts."""
    figures = [plot(engine) for plot in (months, consumption, debts, invoices, receipts)]
    parts = [figure.to_html(full_html=False, include_plotlyjs=at == 0) for at, figure in enumerate(figures)]
    head = '<!doctype html><html lang="en"><meta charset="utf-8"><title>Analysis</title><h1>Analysis</h1>'
    path.write_text(head + "".join(parts), encoding="utf-8")


def main() -> None:
    """Write the page, and print each customer's purchases by year."""
    url = os.environ.get("ANALYST_URL")
    if url is None or len(sys.argv) != 2:
        sys.exit("Set ANALYST_URL to the warehouse's URL and name the file to write: python examples/analysis.py FILE")
    engine = sa.create_engine(url)
    report(engine, Path(sys.argv[1]))
    by_year = read(engine, TREND).assign(year=lambda frame: frame["year_month"].str[:4])
    table = by_year.pivot_table("total_purchases", "name", "year", "sum", margins=True)
    sys.stdout.write(table.to_string(float_format=lambda rupiah: f"{rupiah:,.0f}") + "\n")
    engine.dispose()


if __name__ == "__main__":
    main()
