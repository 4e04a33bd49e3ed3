"""Format numbers, rupiah, dates and durations in English or Indonesian, with Babel's data.

All input is exact (Decimal, int, datetime). No digit is dropped unless a function states how many it shows.
"""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal, localcontext
from typing import Literal
from zoneinfo import ZoneInfo

from babel.dates import format_date, format_datetime, format_timedelta
from babel.numbers import format_decimal

from ledger_pipelines.domain import EXACT_CONTEXT

Language = Literal["en", "id"]

LANGUAGES: tuple[Language, ...] = ("en", "id")

_LOCALES = {"en": "en_GB", "id": "id_ID"}
_CLOCKS = {"en": "HH:mm:ss", "id": "HH.mm.ss"}
_MINUS = "−"
_CENT = Decimal("0.01")
_SECOND = timedelta(seconds=1)


@dataclass(frozen=True)
class Formats:
    """Formats for one language, with times in the company's time zone."""

    language: Language
    zone: ZoneInfo

    @property
    def separators(self) -> str:
        """Decimal separator followed by thousands separator."""
        return ",." if self.language == "id" else ".,"

    def number(self, value: Decimal | int, decimals: int | None = None) -> str:
        """Format a number with thousands separators: all digits, or rounded to `decimals` (half away from zero)."""
        with localcontext(EXACT_CONTEXT):
            exact = Decimal(value)
            if decimals is not None:
                exact = exact.quantize(Decimal(1).scaleb(-decimals))
            shown = format_decimal(
                exact.copy_abs(), _pattern(exact), locale=_LOCALES[self.language], decimal_quantization=False
            )
        return f"{_MINUS}{shown}" if exact < 0 else shown

    def rupiah(self, value: Decimal) -> str:
        """Format an amount with two decimals: Rp1.234.567,89 or Rp 1,234,567.89."""
        with localcontext(EXACT_CONTEXT):
            cents = value.quantize(_CENT)
        sign = _MINUS if cents < 0 else ""
        return f"{sign}Rp{self._space_after_rp}{self.number(cents.copy_abs())}"

    def price(self, value: Decimal) -> str:
        """Format a price with all its decimals, without trailing zeros."""
        sign = _MINUS if value < 0 else ""
        return f"{sign}Rp{self._space_after_rp}{self.number(strip_trailing_zeros(value).copy_abs())}"

    @property
    def _space_after_rp(self) -> str:
        return "" if self.language == "id" else "\N{NO-BREAK SPACE}"

    def day(self, value: date | datetime, *, short: bool = False) -> str:
        """Format a date: 5 March 2025, 5 Maret 2025; 5 Mar 2025 if short."""
        local = value.astimezone(self.zone).date() if isinstance(value, datetime) else value
        return format_date(local, "d MMM y" if short else "d MMMM y", locale=_LOCALES[self.language])

    def moment(self, value: datetime, *, short: bool = False) -> str:
        """Format a date and time in the company's time zone: 5 March 2025, 14:04:00 WIB."""
        local = value.astimezone(self.zone)
        return f"{self.day(local, short=short)}, {self.clock(local)}"

    def clock(self, value: datetime) -> str:
        """Format a time of day in the company's time zone: 14:04:00 WIB, 14.04.00 WIB."""
        local = value.astimezone(self.zone)
        shown = format_datetime(local, _CLOCKS[self.language], locale=_LOCALES[self.language])
        return f"{shown} {local.tzname()}"

    def month(self, key: str, *, short: bool = False) -> str:
        """Format a month key: 2025-03 as March 2025; as Mar 2025 if short."""
        first = date(int(key[:4]), int(key[5:]), 1)
        return format_date(first, "MMM y" if short else "MMMM y", locale=_LOCALES[self.language])

    def ago(self, value: datetime, now: datetime) -> str:
        """Format the rough time that has passed: 3 minutes ago. A value after `now` counts as one second ago."""
        passed = max(now - value, timedelta(0))
        return format_timedelta(-passed or -_SECOND, add_direction=True, locale=_LOCALES[self.language])

    def seconds(self, value: Decimal) -> str:
        """Format a duration: 3.2 s; 2 min 5 s from one minute on."""
        if value < 60:
            return f"{self.number(value, 1)} {self._unit('s')}"
        minutes, rest = divmod(int(value), 60)
        return f"{self.number(minutes)} {self._unit('min')} {rest} {self._unit('s')}"

    def _unit(self, name: str) -> str:
        return {"s": "dtk", "min": "mnt"}[name] if self.language == "id" else name


def strip_trailing_zeros(value: Decimal) -> Decimal:
    """Return the same number without trailing zeros in its decimals."""
    with localcontext(EXACT_CONTEXT):
        return value.to_integral_value() if value == value.to_integral_value() else value.normalize()


def _pattern(value: Decimal) -> str:
    """Return the Babel pattern with exactly as many decimals as the number has."""
    exponent = value.as_tuple().exponent
    decimals = -exponent if isinstance(exponent, int) and exponent < 0 else 0
    return f"#,##0.{'0' * decimals}" if decimals else "#,##0"
