"""`data_receipt_purchase`: receipts, invoiced weeks later and paid months later, if by now at all."""

from collections.abc import Iterator
from random import Random

from ledger_pipelines.sources.sample.erp.world import Part, Partner, World, plain
from ledger_pipelines.sources.sample.plan import DAY, Month
from ledger_pipelines.sources.sample.writing import Row

_YES = ("Yes", "Yes", "Yes", "Y", "1", "yes")  # each interface of the ERP writes it its own way
_NO = ("No", "no", "N", "0")
_NOT_INVOICED: Row = (None,) * 8


def purchase_rows(world: World, month: Month) -> Iterator[Row]:
    """Give the receipts of a month, with what has become of them since."""
    rng = world.random("purchases", month.year_month)
    days, period = world.days(month), month.year_month.replace("-", "")
    for number in range(1, world.share(month, 4) + 1):
        supplier = world.suppliers[rng.randrange(len(world.suppliers))]
        part = world.parts[rng.randrange(len(world.parts))]
        second = min(days[rng.randrange(len(days))] * DAY + 25_200 + rng.randrange(36_000), world.timeline.until)
        asked = rng.randint(1, 3_000)
        received = asked if rng.random() < 0.85 else rng.randint(1, asked)
        approved = received if rng.random() < 0.9 else received * 9 // 10
        amounts = approved, part.price * 100 // supplier.rate
        yield (
            *_order(supplier, period, number, rng), world.moment(second), month.year_month[:4],
            str(int(month.year_month[5:])), f"RC{period}{number // 3:06d}", str(number % 3 + 1),
            f"GR{period}{number:06d}",
            f"SJ/{supplier.code}/{rng.randrange(10_000):04d}" if rng.random() < 0.8 else None, *_item(part),
            str(asked), str(received), str(approved), part.unit, plain(amounts[0] * amounts[1]), plain(amounts[1]),
            rng.choice(_YES if received == asked else _NO), rng.choice(_YES if rng.random() < 0.95 else _NO),
            *_invoice(world, supplier, second // DAY, amounts, rng),
        )  # fmt: skip


def _order(supplier: Partner, period: str, number: int, rng: Random) -> Row:
    """po_no … po_receipt_sequence."""
    kind = "Import" if supplier.currency != "IDR" else "Local"
    reference = f"PR {rng.randrange(100_000):05d}" if rng.random() < 0.5 else None
    return (
        f"PO{period}{number // 5:05d}", supplier.code, supplier.name, supplier.currency, kind, reference,
        str(number % 5 * 10 + 10), "1", str(rng.randint(1, 3)),
    )  # fmt: skip


def _item(part: Part) -> Row:
    """item_no … item_type_desc."""
    name = f"{part.name} {part.material}"
    return part.number, part.number[:3], part.old_number, part.number, name, part.group, part.kind[:1], part.kind


def _invoice(world: World, supplier: Partner, received_on: int, amounts: tuple[int, int], rng: Random) -> Row:
    """inv_doc_no … payment_doc_date, as far as the last day has come."""
    invoiced_on = received_on + rng.randint(10, 40)
    due_on = invoiced_on + 30
    paid_on = due_on + rng.randint(-5, 45)
    if invoiced_on > world.last_day:
        return _NOT_INVOICED
    number = rng.randrange(1_000_000)
    quantity, price = amounts
    invoice: Row = (
        f"VI{number:06d}", _date(world, invoiced_on), str(quantity), plain(quantity * price),
        f"{supplier.code}/{number % 1_000:03d}", _date(world, due_on),
    )  # fmt: skip
    if paid_on > world.last_day:
        return (*invoice, None, None)
    return (*invoice, f"BK{number:06d}", _date(world, paid_on))


def _date(world: World, day: int) -> str:
    return world.midnights[day][:10]
