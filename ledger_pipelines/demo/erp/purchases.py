"""Rows of `data_receipt_purchase`: receipts, invoiced weeks later and paid months later, up to the plan's end."""

from collections.abc import Iterator
from random import Random

from ledger_pipelines.demo.bulk_insert import TextRow
from ledger_pipelines.demo.erp.entities import BusinessPartner, DemoPart, ErpEntities, decimal_text
from ledger_pipelines.demo.plan import DAY, Month

_YES = ("Yes", "Yes", "Yes", "Y", "1", "yes")  # the ERP's interfaces use different spellings
_NO = ("No", "no", "N", "0")
_NOT_INVOICED: TextRow = (None,) * 8


def purchase_rows(entities: ErpEntities, month: Month) -> Iterator[TextRow]:
    """Yield the receipts of a month, with invoice and payment as of the plan's end."""
    rng = entities.random("purchases", month.year_month)
    days, period = entities.days(month), month.year_month.replace("-", "")
    for number in range(1, entities.event_count(month, 4) + 1):
        supplier = entities.suppliers[rng.randrange(len(entities.suppliers))]
        part = entities.parts[rng.randrange(len(entities.parts))]
        second = min(days[rng.randrange(len(days))] * DAY + 25_200 + rng.randrange(36_000), entities.timeline.until)
        requested = rng.randint(1, 3_000)
        received = requested if rng.random() < 0.85 else rng.randint(1, requested)
        approved = received if rng.random() < 0.9 else received * 9 // 10
        amounts = approved, part.price * 100 // supplier.rate
        yield (
            *_order(supplier, period, number, rng), entities.moment(second), month.year_month[:4],
            str(int(month.year_month[5:])), f"RC{period}{number // 3:06d}", str(number % 3 + 1),
            f"GR{period}{number:06d}",
            f"SJ/{supplier.code}/{rng.randrange(10_000):04d}" if rng.random() < 0.8 else None, *_item(part),
            str(requested), str(received), str(approved), part.unit, decimal_text(amounts[0] * amounts[1]),
            decimal_text(amounts[1]),
            rng.choice(_YES if received == requested else _NO), rng.choice(_YES if rng.random() < 0.95 else _NO),
            *_invoice(entities, supplier, second // DAY, amounts, rng),
        )  # fmt: skip


def _order(supplier: BusinessPartner, period: str, number: int, rng: Random) -> TextRow:
    """Return the columns po_no to po_receipt_sequence."""
    kind = "Import" if supplier.currency != "IDR" else "Local"
    reference = f"PR {rng.randrange(100_000):05d}" if rng.random() < 0.5 else None
    return (
        f"PO{period}{number // 5:05d}", supplier.code, supplier.name, supplier.currency, kind, reference,
        str(number % 5 * 10 + 10), "1", str(rng.randint(1, 3)),
    )  # fmt: skip


def _item(part: DemoPart) -> TextRow:
    """Return the columns item_no to item_type_desc."""
    name = f"{part.name} {part.material}"
    return part.number, part.number[:3], part.old_number, part.number, name, part.group, part.kind[:1], part.kind


def _invoice(
    entities: ErpEntities, supplier: BusinessPartner, received_on: int, amounts: tuple[int, int], rng: Random
) -> TextRow:
    """Return the columns inv_doc_no to payment_doc_date; values after the last day are NULL."""
    invoiced_on = received_on + rng.randint(10, 40)
    due_on = invoiced_on + 30
    paid_on = due_on + rng.randint(-5, 45)
    if invoiced_on > entities.last_day:
        return _NOT_INVOICED
    number = rng.randrange(1_000_000)
    quantity, price = amounts
    invoice: TextRow = (
        f"VI{number:06d}", _date(entities, invoiced_on), str(quantity), decimal_text(quantity * price),
        f"{supplier.code}/{number % 1_000:03d}", _date(entities, due_on),
    )  # fmt: skip
    if paid_on > entities.last_day:
        return (*invoice, None, None)
    return (*invoice, f"BK{number:06d}", _date(entities, paid_on))


def _date(entities: ErpEntities, day: int) -> str:
    return entities.midnights[day][:10]
