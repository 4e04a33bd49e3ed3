"""Rows of `so_invoice_line`: sales orders with their shipments and invoices.

An order line has several shipments; a shipment has up to two invoice lines, some with the same number and line. So no
set of columns is unique. Gas is invoiced as well, to the customers of the billing application.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from random import Random

from ledger_pipelines.demo.bulk_insert import TextRow
from ledger_pipelines.demo.erp.entities import (
    PRICE_SCALE,
    BusinessPartner,
    DemoPart,
    ErpEntities,
    GasCustomer,
    decimal_text,
)
from ledger_pipelines.demo.plan import DAY, Month

_HUNDREDTHS = PRICE_SCALE // 100
_NO_INVOICE: TextRow = (None, None, None, None)


@dataclass(slots=True)
class _Line:
    """An order line: the values that its rows share, and its random generator."""

    entities: ErpEntities
    rng: Random
    partner: BusinessPartner
    order: str
    ordered_on: int
    number: int
    customer_po: str | None
    part: TextRow
    unit: str
    price: int

    def row(
        self,
        sequence: int,
        shipment: TextRow,
        quantity: str | None,
        states: TextRow,
        invoice: TextRow,
        invoiced: int | None,
    ) -> TextRow:
        """Return a row.

        Args:
            sequence: number of the shipment within the line.
            shipment: shipment, shipment_line, delivery_date, receipt, receipt_line, receipt_date, shipment_reference,
                dlv_log_date.
            quantity: delivered quantity.
            states: status, shipment_status, inv_stat, invoice_status.
            invoice: invoice_no, inv_line, invoice_date, invoice_qty.
            invoiced: invoiced amount, as an integer scaled by `PRICE_SCALE`.
        """
        partner, price = self.partner, self.price
        amounts: TextRow = (None, None)
        if invoiced is not None:
            amounts = (decimal_text(invoiced), decimal_text(invoiced * partner.rate // 100))
        return (
            partner.code, partner.name, self.order, self.entities.midnights[self.ordered_on], str(self.number),
            str(sequence), self.customer_po, *shipment[:6], *self.part, quantity, self.unit, shipment[6], *states[:2],
            *invoice, partner.currency, decimal_text(price), amounts[0],
            decimal_text(price * partner.rate // 100), amounts[1],
            *states[2:], shipment[7],
        )  # fmt: skip


def sales_rows(entities: ErpEntities, month: Month) -> Iterator[TextRow]:
    """Yield the rows of a month's orders, up to the plan's end."""
    rng = entities.random("sales", month.year_month)
    gas = [row for customer in entities.gas_customers for row in _gas_rows(entities, month, customer, rng)]
    yield from gas
    yield from islice(_order_rows(entities, month, rng), max(entities.event_count(month) - len(gas), 0))


def _order_rows(entities: ErpEntities, month: Month, rng: Random) -> Iterator[TextRow]:
    """Yield the rows of an endless sequence of orders."""
    random, days = rng.random, entities.days(month)
    customers, parts, period = entities.customers, entities.parts, month.year_month[2:4] + month.year_month[5:]
    number = 0
    while True:
        number += 1
        partner = customers[int(random() * len(customers))]
        order, ordered_on = f"SO{period}{number:06d}", days[int(random() * len(days))]
        po = f"PO/{partner.code}/{int(random() * 10_000):04d}" if random() < 0.9 else None
        for line in range(1, 2 + int(random() * 4)):
            part = parts[int(random() * len(parts))]
            price = part.price * 100 // partner.rate
            made = _Line(
                entities, rng, partner, order, ordered_on, line * 10, po, _part(part, partner), part.unit, price
            )
            yield from _line_rows(made, 1 + int(random() * 2_000), 1 + int(random() * 3))


def _part(part: DemoPart, partner: BusinessPartner) -> TextRow:
    """Return part_no, old_partno, product_type, cust_partno, cust_partname, item_group."""
    return part.number, part.old_number, part.kind, f"{partner.code[-3:]}.{part.number[-5:]}", part.name, part.group


def _line_rows(line: _Line, quantity: int, shipments: int) -> Iterator[TextRow]:
    """Yield the rows of an order line: shipments some days apart, the last ones possibly not shipped yet."""
    random, midnights, last_day = line.rng.random, line.entities.midnights, line.entities.last_day
    day = line.ordered_on
    for sequence in range(1, shipments + 1):
        day += 1 + int(random() * 12)
        part = quantity // (shipments - sequence + 1)
        quantity -= part
        if day > last_day:
            open_shipment: TextRow = (None,) * 8
            yield line.row(sequence, open_shipment, None, ("10", "Open", None, None), _NO_INVOICE, None)
            continue
        midnight, shipment = midnights[day], f"SH{line.order[2:]}{sequence}"
        received = midnights[min(day + int(random() * 4), last_day)]
        logged = line.entities.moment(min(day * DAY + 25_200 + int(random() * 43_200), line.entities.timeline.until))
        facts = (
            shipment, str(line.number), midnight, f"R{shipment[2:]}", "10", received,
            f"SJ-{shipment[2:]}" if sequence > 1 else None, logged,
        )  # fmt: skip
        yield from _invoice_rows(line, sequence, facts, part, day + int(random() * 40))


def _invoice_rows(line: _Line, sequence: int, shipment: TextRow, quantity: int, invoiced_on: int) -> Iterator[TextRow]:
    """Yield the rows of a shipment: one per invoice line, or one without; the second often repeats number and line."""
    random, delivered = line.rng.random, str(quantity)
    if invoiced_on > line.entities.last_day:
        yield line.row(sequence, shipment, delivered, ("30", "Shipped", "1", "Not invoiced"), _NO_INVOICE, None)
        return
    number, dated = f"INV{shipment[0]}", line.entities.midnights[invoiced_on]
    first = quantity if random() < 0.8 else quantity // 3
    states: TextRow = ("40", "Received", "3", "Posted")
    yield line.row(sequence, shipment, delivered, states, (number, "1", dated, str(first)), first * line.price)
    if (rest := quantity - first) > 0:
        again = "1" if random() < 0.5 else "2"
        yield line.row(sequence, shipment, delivered, states, (number, again, dated, str(rest)), rest * line.price)
    elif random() < 0.02:
        states = ("40", "Received", "4", "Credited")
        yield line.row(sequence, shipment, delivered, states, (number, "1", dated, f"-{first}"), -first * line.price)


def _gas_rows(entities: ErpEntities, month: Month, customer: GasCustomer, rng: Random) -> Iterator[TextRow]:
    """Yield a customer's gas rows of a month: mostly invoiced at the readings' cost, else differently or not yet."""
    bill = customer.purchases.get(month.year_month)
    if not bill:
        return
    days, chance = entities.days(month), rng.random()
    order = f"GAS{month.year_month[2:4]}{month.year_month[5:]}{customer.partner.code[:5]}"
    part: TextRow = ("GAS-PIPA", None, "GAS", None, "Gas bumi", "GAS")
    line = _Line(entities, rng, customer.partner, order, days[0], 10, None, part, "SM3", customer.price * _HUNDREDTHS)
    volume = f"{bill // customer.price}.{bill % customer.price * 10_000 // customer.price:04d}"
    complete = month.ends <= entities.timeline.until + 1
    if not complete:
        yield line.row(1, (None,) * 8, None, ("10", "Open", None, None), _NO_INVOICE, None)
        return
    midnight = entities.midnights[days[-1]]
    shipment: TextRow = (
        f"BA{order[3:]}",
        "10",
        midnight,
        None,
        None,
        None,
        f"Berita acara {month.year_month}",
        midnight,
    )
    invoiced_on = days[-1] + 1 + int(rng.random() * 5)
    if invoiced_on > entities.last_day:
        yield line.row(1, shipment, volume, ("30", "Shipped", "1", "Not invoiced"), _NO_INVOICE, None)
        return
    if chance < 0.15:
        bill = bill * rng.randint(950, 1_049) // 1_000
    halves = (bill,) if chance < 0.85 else (bill // 2, bill - bill // 2)
    for number, half in enumerate(halves, 1):
        invoice = (f"INV-{order}", str(number), entities.midnights[invoiced_on], volume if len(halves) == 1 else None)
        yield line.row(1, shipment, volume, ("40", "Received", "3", "Posted"), invoice, half * _HUNDREDTHS)
