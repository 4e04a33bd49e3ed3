"""Explanation of a transaction, step by step, from the reading to the amount in rupiah.

Every number has all the digits that the ledger computed with, so a user can recompute the amount by hand.
"""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from markupsafe import Markup

from ledger_pipelines.domain import PriceRule
from ledger_pipelines.serving.dashboard.translations import Translator
from ledger_pipelines.serving.dashboard.translations.formats import Formats, strip_trailing_zeros
from ledger_pipelines.warehouse.queries.customers.month_details import PricedReading

_ENTRY_DATES = "%Y-%m-%d %H:%M:%S"


@dataclass(frozen=True)
class Step:
    """One step of an explanation: heading, text, and the formula with its numbers, if any."""

    heading: Markup
    text: Markup
    formula: str | None = None


@dataclass(frozen=True)
class PriceExplainer:
    """Explanation of transactions in one language."""

    translate: Translator
    formats: Formats

    def steps(self, row: PricedReading) -> list[Step]:
        """Return the five steps: reading, price, factor, volume and amount."""
        return [self._reading(row), self._price(row), self._factor(row), self._volume(row), self._amount(row)]

    def _reading(self, row: PricedReading) -> Step:
        translate, formats = self.translate, self.formats
        start = formats.moment(row.transaction_date)
        volume = formats.number(row.volume_flow_meter)
        if row.pricing_used["factor"] == "fob":
            text = translate("explanation.fob_reading", moment=start, volume=volume)
        elif row.opening_volume is None or row.closing_volume is None or row.ended_at is None:
            text = translate("explanation.reading_without_meter_states", moment=start, volume=volume)
        else:
            text = translate(
                "explanation.metered_reading",
                start=start,
                end=formats.moment(row.ended_at),
                opening=formats.number(row.opening_volume),
                closing=formats.number(row.closing_volume),
                volume=volume,
            )
            if row.closing_volume - row.opening_volume != row.volume_flow_meter:
                text += Markup(" ") + translate("explanation.recorded_volume_used")
        return Step(translate("explanation.reading", id=row.data_pencatatan_id), text)

    def _price(self, row: PricedReading) -> Step:
        translate, used = self.translate, row.pricing_used
        price = self.formats.price(row.harga_per_m3)
        dates = {name: self._moment(used[name]) for name in ("valid_from", "valid_to") if used.get(name)}
        key = f"explanation.rule_{used['rule']}"
        if translate.has(key):
            text = translate(key, price=price, **dates)
        else:
            text = translate("explanation.rule_other", price=price, rule=used["rule"])
        if used["rule"] != PriceRule.DEFAULT and not self._entry_has(row, "harga_per_meter_kubik"):
            text += Markup(" ") + translate("explanation.price_is_the_default")
        return Step(translate("explanation.price"), text)

    def _factor(self, row: PricedReading) -> Step:
        translate, origin = self.translate, row.pricing_used["factor"]
        factor = self.formats.number(row.koreksi_meter)
        if origin == "computed" and row.tekanan_keluar is not None and row.suhu is not None:
            pressure, temperature = (
                self.formats.number(strip_trailing_zeros(value)) for value in (row.tekanan_keluar, row.suhu)
            )
            text = translate("explanation.factor_computed", pressure=pressure, temperature=temperature)
            return Step(translate("explanation.factor"), text, self._formula(row.tekanan_keluar, row.suhu, factor))
        if origin == "given" and not self._entry_has(row, "koreksi_meter"):
            origin = "default"
        return Step(translate("explanation.factor"), translate(f"explanation.factor_{origin}", factor=factor))

    def _formula(self, pressure: Decimal, temperature: Decimal, factor: str) -> str:
        """Return the formula of docs/rules.md with the numbers of this reading."""
        number = self.formats.number
        base, thousandths = number(Decimal("1.01325")), number(Decimal("0.002"))
        p, t = (
            f"({shown})" if value < 0 else shown
            for value, shown in ((value, number(strip_trailing_zeros(value))) for value in (pressure, temperature))
        )
        return f"(({p} + {base}) ÷ {base}) × (300 ÷ ({t} + 273)) × (1 + {thousandths} × {p}) = {factor}"

    def _volume(self, row: PricedReading) -> Step:
        number = self.formats.number
        factors = f"{number(row.volume_flow_meter)} × {number(row.koreksi_meter)}"
        formula = f"{factors} = {number(row.volume_sm3)} Sm³"
        return Step(self.translate("explanation.volume"), self.translate("explanation.volume_rounded"), formula)

    def _amount(self, row: PricedReading) -> Step:
        number = self.formats.number
        factors = (row.volume_flow_meter, row.koreksi_meter, strip_trailing_zeros(row.harga_per_m3))
        formula = f"{' × '.join(number(factor) for factor in factors)} = {self.formats.rupiah(row.total_harga)}"
        return Step(self.translate("explanation.amount"), self.translate("explanation.amount_rounded"), formula)

    def _moment(self, text: str) -> str:
        """Format a moment of `pricing_used`, which is text in the company's time zone."""
        return self.formats.moment(datetime.strptime(text, _ENTRY_DATES).replace(tzinfo=self.formats.zone))

    def _entry_has(self, row: PricedReading, field: str) -> bool:
        entry: Any = row.pricing_used.get("entry")
        return isinstance(entry, dict) and str(entry.get(field) if entry.get(field) is not None else "").strip() != ""
