"""A transaction in words: from the reading to the rupiah, so that a reader can recompute it by hand.

Every number shown has all the digits that the ledger computed with.
"""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from markupsafe import Markup

from ledger_pipelines.serving.dashboard.formats import Formats, trimmed
from ledger_pipelines.serving.dashboard.words import Words
from ledger_pipelines.warehouse.questions.month_details import PricedReading

_ENTRY_DATES = "%Y-%m-%d %H:%M:%S"


@dataclass(frozen=True)
class Step:
    """One step of the explanation: what it is about, what is said of it, and the sum that is done, if any."""

    heading: Markup
    text: Markup
    formula: str | None = None


@dataclass(frozen=True)
class Explainer:
    """Explains transactions in one language."""

    words: Words
    formats: Formats

    def steps(self, row: PricedReading) -> list[Step]:
        """The reading, the price, the factor, the volume and the amount."""
        return [self._reading(row), self._price(row), self._factor(row), self._volume(row), self._amount(row)]

    def _reading(self, row: PricedReading) -> Step:
        words, formats = self.words, self.formats
        start = formats.moment(row.transaction_date)
        volume = formats.number(row.volume_flow_meter)
        if row.pricing_used["factor"] == "fob":
            text = words("explanation.fob_reading", moment=start, volume=volume)
        elif row.opening_volume is None or row.closing_volume is None or row.ended_at is None:
            text = words("explanation.bare_reading", moment=start, volume=volume)
        else:
            text = words(
                "explanation.metered_reading",
                start=start,
                end=formats.moment(row.ended_at),
                opening=formats.number(row.opening_volume),
                closing=formats.number(row.closing_volume),
                volume=volume,
            )
            if row.closing_volume - row.opening_volume != row.volume_flow_meter:
                text += Markup(" ") + words("explanation.volume_is_as_given")
        return Step(words("explanation.reading", id=row.data_pencatatan_id), text)

    def _price(self, row: PricedReading) -> Step:
        words, used = self.words, row.pricing_used
        price = self.formats.price(row.harga_per_m3)
        dates = {name: self._moment(used[name]) for name in ("valid_from", "valid_to") if used.get(name)}
        text = words(f"explanation.rule_{used['rule']}", price=price, **dates)
        if used["rule"] != "default" and not self._entry_has(row, "harga_per_meter_kubik"):
            text += Markup(" ") + words("explanation.price_is_the_default")
        return Step(words("explanation.price"), text)

    def _factor(self, row: PricedReading) -> Step:
        words, origin = self.words, row.pricing_used["factor"]
        factor = self.formats.number(row.koreksi_meter)
        if origin == "computed" and row.tekanan_keluar is not None and row.suhu is not None:
            pressure, temperature = (self.formats.number(trimmed(value)) for value in (row.tekanan_keluar, row.suhu))
            text = words("explanation.factor_computed", pressure=pressure, temperature=temperature)
            return Step(words("explanation.factor"), text, self._formula(row.tekanan_keluar, row.suhu, factor))
        if origin == "given" and (row.pricing_used["rule"] == "default" or not self._entry_has(row, "koreksi_meter")):
            origin = "default"
        return Step(words("explanation.factor"), words(f"explanation.factor_{origin}", factor=factor))

    def _formula(self, pressure: Decimal, temperature: Decimal, factor: str) -> str:
        """The formula of docs/rules.md with this reading's numbers."""
        number = self.formats.number
        base, thousandths = number(Decimal("1.01325")), number(Decimal("0.002"))
        p, t = (
            f"({shown})" if value < 0 else shown
            for value, shown in ((value, number(trimmed(value))) for value in (pressure, temperature))
        )
        return f"(({p} + {base}) ÷ {base}) × (300 ÷ ({t} + 273)) × (1 + {thousandths} × {p}) = {factor}"

    def _volume(self, row: PricedReading) -> Step:
        number = self.formats.number
        factors = f"{number(row.volume_flow_meter)} × {number(row.koreksi_meter)}"
        formula = f"{factors} = {number(row.volume_sm3)} Sm³"
        return Step(self.words("explanation.volume"), self.words("explanation.volume_rounded"), formula)

    def _amount(self, row: PricedReading) -> Step:
        number = self.formats.number
        factors = (row.volume_flow_meter, row.koreksi_meter, trimmed(row.harga_per_m3))
        formula = f"{' × '.join(number(factor) for factor in factors)} = {self.formats.rupiah(row.total_harga)}"
        return Step(self.words("explanation.amount"), self.words("explanation.amount_rounded"), formula)

    def _moment(self, text: str) -> str:
        """A moment of `pricing_used`, which is text in the company's time zone."""
        return self.formats.moment(datetime.strptime(text, _ENTRY_DATES).replace(tzinfo=self.formats.zone))

    def _entry_has(self, row: PricedReading, field: str) -> bool:
        entry: Any = row.pricing_used.get("entry")
        return isinstance(entry, dict) and str(entry.get(field) if entry.get(field) is not None else "").strip() != ""
