"""`ledger price`: preview of a price change."""

from collections.abc import Callable
from decimal import Decimal
from typing import Annotated, TypeVar

import typer

from ledger_pipelines.ledger.preview import MonthChange, Preview
from ledger_pipelines.ledger.price_change import PriceChange
from ledger_pipelines.serving import price_preview
from ledger_pipelines.serving.base.errors import ServingError
from ledger_pipelines.serving.cli.common.console import AsJson, out, print_json, print_message, print_table
from ledger_pipelines.serving.cli.common.options import CustomerId
from ledger_pipelines.serving.cli.common.preparation import open_databases
from ledger_pipelines.serving.price_preview import PricePreview

T = TypeVar("T")

app = typer.Typer(no_args_is_help=True, help="Preview a price change.")


@app.callback()
def _group() -> None:
    """Preview a price change."""


@app.command("preview")
def show_preview(
    customer_id: CustomerId,
    from_month: Annotated[str, typer.Option("--from", metavar="YYYY-MM", help="First month of the new price.")],
    price_per_m3: Annotated[str, typer.Option("--price", metavar="RUPIAH", help="New price per Sm³, in rupiah.")],
    correction: Annotated[
        str | None, typer.Option(metavar="FACTOR", help="New correction factor; default: unchanged.")
    ] = None,
    to_month: Annotated[
        str | None,
        typer.Option("--to", metavar="YYYY-MM", help="Last month of the new price; default: the current month."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show which transactions and months a price would change, and by how much. Read-only."""
    with open_databases(as_json=as_json) as databases:
        horizon = databases.horizon()
        first, last = horizon.require_month(from_month), horizon.require_month(to_month or horizon.current)
        if last < first:
            raise ServingError(f"The months end before they start: --from {first} --to {last}")
        change = PriceChange(
            customer_id,
            first,
            last,
            price_preview.parse_amount(price_per_m3, "--price"),
            None if correction is None else price_preview.parse_amount(correction, "--correction"),
        )
        found = price_preview.preview_price(
            databases, change, lambda: print_message("A run is writing the tables; waiting until it ends …")
        )
        if as_json:
            print_json(price_preview.preview_as_json(found))
        else:
            _print(found)


def _print(found: PricePreview) -> None:
    """Print what would change, what would not, and the `pricing_history` that causes it."""
    preview, change = found.preview, found.preview.change
    factor = "" if change.correction is None else f" and the correction factor {change.correction}"
    print_message(
        f"[bold]Preview: nothing was changed.[/] Customer {change.customer_id}, {change.first} to {change.last}: "
        f"{change.price:,} rupiah per Sm³{factor}."
    )
    headings = ("reading", "time", "rule", "volume", "factor", "price", "rupiah", "difference")
    if preview.changed:
        print_table(
            "Transactions that would change (before → after)", headings, _changed(preview), verbatim=("reading",)
        )
    if preview.unchanged:
        rows = [
            (change.reading_id, change.at, change.after and change.after.rule, price_preview.unchanged_reason(change))
            for change in preview.unchanged
        ]
        print_table(
            "Transactions that would stay the same", ("reading", "time", "rule", "reason"), rows, verbatim=("reading",)
        )
    if preview.balances:
        columns = ("month", "opening", "purchases", "closing", "change of closing")
        print_table("Balances (before → after)", columns, [_month(month) for month in preview.balances])
    _print_sums(found)


def _print_sums(found: PricePreview) -> None:
    preview, sums = found.preview, price_preview.totals(found.preview)
    out.print(
        f"Transactions: {sums['transactions_changed']:,} would change, {sums['transactions_kept']:,} would stay the "
        f"same. Amount: {sums['amount_before']:,} → {sums['amount_after']:,} rupiah, {sums['difference']:+,}."
    )
    if preview.unpriced:
        out.print(f"Readings that would still have no transaction: {preview.unpriced:,}. See ops.rejected_rows.")
    if len(preview.months) < len(preview.entries):
        out.print(f"Only computed months are included: {preview.months[0]} to {preview.months[-1]}.")
    out.print("Entries of the customer's pricing_history in the billing application that cause this:")
    for entry in preview.entries:
        where = "new, at the end" if entry.position is None else f"position {entry.position}"
        out.print(f"  {where}: {entry.entry}", markup=False, soft_wrap=True)
    if not found.automatic:
        print_message(
            "Automatic recalculation is off for this customer. To apply the change: ledger balance sync "
            f"--customer-id {preview.change.customer_id}"
        )


def _changed(preview: Preview) -> list[tuple[object, ...]]:
    return [
        (
            change.reading_id,
            change.at,
            change.after and change.after.rule,
            change.volume,
            _arrow(change.before, change.after, lambda priced: priced.factor),
            _arrow(change.before, change.after, lambda priced: priced.price),
            _arrow(change.before, change.after, lambda priced: priced.amount),
            change.difference,
        )
        for change in preview.changed
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
    """Return a figure before and after, or once if it would not change."""
    sides = ["none" if side is None else f"{figure(side):,}" for side in (before, after)]
    return "\n→ ".join(dict.fromkeys(sides))
