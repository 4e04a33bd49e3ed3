"""`ledger price`: what a price would change."""

from collections.abc import Callable
from decimal import Decimal
from typing import Annotated, TypeVar

import typer

from ledger_pipelines.ledger.preview import MonthChange, Preview
from ledger_pipelines.ledger.price_change import PriceChange
from ledger_pipelines.serving import price
from ledger_pipelines.serving.cli.console import answering, out, print_json, print_table, say
from ledger_pipelines.serving.databases import Databases
from ledger_pipelines.serving.errors import ServingError
from ledger_pipelines.serving.price import Answer
from ledger_pipelines.settings import load_settings

T = TypeVar("T")

app = typer.Typer(no_args_is_help=True, help="Prices: what one would change.")


@app.callback()
def _group() -> None:
    """Prices: what one would change."""


@app.command("preview")
def show_preview(
    customer_id: Annotated[int, typer.Option("--customer-id", help="The customer.")],
    from_month: Annotated[str, typer.Option("--from", metavar="YYYY-MM", help="The first month of the price.")],
    price_per_m3: Annotated[str, typer.Option("--price", metavar="RUPIAH", help="The price of one Sm³, in rupiah.")],
    correction: Annotated[
        str | None, typer.Option(metavar="FACTOR", help="The correction factor; not given: as it is.")
    ] = None,
    to_month: Annotated[
        str | None, typer.Option("--to", metavar="YYYY-MM", help="The last month; not given: the current one.")
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the result as JSON, and nothing else, on stdout.")
    ] = False,
) -> None:
    """Say which transactions and months a price would change, and by how much. Changes nothing."""
    with answering(as_json=as_json), Databases(load_settings()) as databases:
        horizon = databases.horizon
        first, last = horizon.check(from_month), horizon.check(to_month or horizon.current)
        if last < first:
            raise ServingError(f"The months end before they start: --from {first} --to {last}")
        change = PriceChange(
            customer_id,
            first,
            last,
            price.amount(price_per_m3, "--price"),
            None if correction is None else price.amount(correction, "--correction"),
        )
        found = price.inquire(databases, change, lambda: say("A run is writing the tables; waiting for its end …"))
        if as_json:
            print_json(price.answer(found))
        else:
            _print(found)


def _print(found: Answer) -> None:
    """Print what would change, what would not, and what the application has to hold for it."""
    told, change = found.preview, found.preview.change
    factor = "" if change.correction is None else f" and the correction factor {change.correction}"
    say(
        f"[bold]Preview: nothing is changed.[/] Customer {change.customer_id}, {change.first} to {change.last}: "
        f"{change.price:,} rupiah for a Sm³{factor}."
    )
    headings = ("reading", "moment", "rule", "volume", "factor", "price", "rupiah", "more to pay")
    if told.changed:
        print_table("Transactions that would change (before → after)", headings, _changed(told), whole=("reading",))
    if told.kept:
        rows = [(one.reading_id, one.at, one.after and one.after.rule, price.why_kept(one)) for one in told.kept]
        print_table("Transactions that would stay", ("reading", "moment", "rule", "why"), rows, whole=("reading",))
    if told.balances:
        columns = ("month", "opening", "purchases", "closing", "closing changes by")
        print_table("Balances (before → after)", columns, [_month(month) for month in told.balances])
    _print_sums(found)


def _print_sums(found: Answer) -> None:
    told, sums = found.preview, price.totals(found.preview)
    out.print(
        f"{sums['transactions_changed']:,} transactions would change and {sums['transactions_kept']:,} stay: "
        f"{sums['amount_before']:,} → {sums['amount_after']:,} rupiah, {sums['difference']:+,}."
    )
    if told.unpriced:
        out.print(f"{told.unpriced:,} readings would have no transaction still: see ops.rejected_rows.")
    if len(told.months) < len(told.entries):
        out.print(f"Computed so far, and looked at: {told.months[0]} to {told.months[-1]}.")
    out.print("The customer's pricing_history in the billing application would hold:")
    for entry in told.entries:
        where = "new, at the end" if entry.position is None else f"place {entry.position}"
        out.print(f"  {where}: {entry.entry}", markup=False, soft_wrap=True)
    if not found.automatic:
        say("Automatic recalculation leaves this customer alone: take the change up by ledger balance sync.")


def _changed(told: Preview) -> list[tuple[object, ...]]:
    return [
        (
            one.reading_id,
            one.at,
            one.after and one.after.rule,
            one.volume,
            _arrow(one.before, one.after, lambda priced: priced.factor),
            _arrow(one.before, one.after, lambda priced: priced.price),
            _arrow(one.before, one.after, lambda priced: priced.amount),
            one.difference,
        )
        for one in told.changed
    ]


def _month(month: MonthChange) -> tuple[object, ...]:
    before, after = month.before, month.after
    closings = (before.closing if before else Decimal(0), after.closing if after else Decimal(0))
    return (
        month.year_month,
        _arrow(before, after, lambda balance: balance.opening),
        _arrow(before, after, lambda balance: balance.purchases),
        _arrow(before, after, lambda balance: balance.closing),
        closings[1] - closings[0],
    )


def _arrow(before: T | None, after: T | None, figure: Callable[[T], Decimal]) -> str:
    """A figure before and after; one alone where it would not change."""
    sides = ["none" if side is None else f"{figure(side):,}" for side in (before, after)]
    return "\n→ ".join(dict.fromkeys(sides))
