"""Plotly figures for the charts, built here from exact values and drawn by the browser.

- Amounts are sent as text with all their digits, divided by a round unit. The hover text shows the full amount.
- Colours are custom properties of the stylesheet, which the page's script resolves: charts follow light and dark mode.
- Each page also shows the figures of its charts in a table, for users who cannot see the charts.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal, localcontext

import plotly.graph_objects as go

from ledger_pipelines.domain import EXACT_CONTEXT
from ledger_pipelines.serving.dashboard.translations import Translator
from ledger_pipelines.serving.dashboard.translations.formats import Formats, strip_trailing_zeros
from ledger_pipelines.warehouse.ops.sync_logs import SyncLog

_UNITS = {0: "one", 3: "thousand", 6: "million", 9: "billion", 12: "trillion"}
_HEIGHT = 260
_MAX_LABELS = 6


@dataclass(frozen=True)
class Series:
    """A series of values in a chart.

    Attributes:
        name: Name in the legend.
        values: One value per position on the axis.
        colour: A custom property of the stylesheet, without its leading dashes.
        hatched: Whether the bars are hatched, to distinguish them without colour.
    """

    name: str
    values: Sequence[Decimal]
    colour: str
    hatched: bool = False


@dataclass(frozen=True)
class Chart:
    """A chart for a page: title, summary in one sentence, and the figure as JSON."""

    title: str
    summary: str
    figure: str


@dataclass(frozen=True)
class Locale:
    """Language and number formats of the user who sees a chart."""

    translate: Translator
    formats: Formats


def monthly_amounts(
    locale: Locale, title: str, months: Sequence[str], series: Sequence[Series], *, lines: bool = False
) -> Chart:
    """Return a chart of amounts by month, as grouped bars or as lines."""
    return _by_month(locale, title, months, series, "rupiah", locale.formats.rupiah, lines=lines)


def monthly_volume(locale: Locale, title: str, months: Sequence[str], volumes: Sequence[Decimal]) -> Chart:
    """Return a bar chart of volumes by month."""
    series = [Series(title, volumes, "chart-volume")]
    return _by_month(locale, title, months, series, "sm3", lambda value: f"{locale.formats.number(value)} Sm³")


def sync_durations(locale: Locale, ended: Sequence[SyncLog]) -> Chart:
    """Return a bar chart of the durations of ended syncs, given the newest first, coloured by final status."""
    translate, formats = locale.translate, locale.formats
    ended = list(reversed(ended))
    figure = go.Figure()
    for status in ("completed", "failed", "cancelled"):
        of_status = [log for log in ended if log.status == status]
        figure.add_bar(
            x=[f"#{log.id}" for log in of_status],
            y=[str(log.duration) for log in of_status],
            name=translate.plain(f"sync.status_{status}"),
            marker={"color": f"var(--chart-{status})", "pattern": {"shape": "" if status == "completed" else "/"}},
            hovertext=[
                f"#{log.id}<br>{formats.moment(log.started_at)}<br>{formats.seconds(log.duration or Decimal(0))}"
                for log in of_status
            ],
            hoverinfo="text",
        )
    title = translate.plain("charts.durations")
    unit = translate.plain("charts.seconds")
    _apply_layout(figure, formats, unit, stacked=True)
    figure.update_xaxes(categoryorder="array", categoryarray=[f"#{log.id}" for log in ended])
    return Chart(title, translate.plain("charts.syncs_summary", title=title, count=len(ended)), figure.to_json() or "")


def _by_month(
    locale: Locale,
    title: str,
    months: Sequence[str],
    series: Sequence[Series],
    unit: str,
    format_value: Callable[[Decimal], str],
    *,
    lines: bool = False,
) -> Chart:
    formats = locale.formats
    power = _unit_power(value for item in series for value in item.values)
    figure = go.Figure()
    for item in series:
        pairs = zip(months, item.values, strict=True)
        hover = [f"{formats.month(month)}<br>{item.name}: {format_value(value)}" for month, value in pairs]
        common = {
            "x": list(months),
            "y": [_in_units(value, power) for value in item.values],
            "name": item.name,
            "hovertext": hover,
            "hoverinfo": "text",
        }
        colour = f"var(--{item.colour})"
        if lines:
            figure.add_scatter(**common, mode="lines+markers", line={"color": colour, "width": 2}, marker={"size": 6})
        else:
            pattern = {"shape": "/" if item.hatched else "", "fillmode": "replace", "solidity": 0.4}
            figure.add_bar(**common, marker={"color": colour, "pattern": pattern})
    translate = locale.translate
    _apply_layout(figure, formats, translate.plain(f"charts.{unit}_{_UNITS[power]}"))
    figure.update_layout(showlegend=len(series) > 1)
    marked = months[:: -(-len(months) // _MAX_LABELS)] if months else []
    figure.update_xaxes(tickvals=marked, ticktext=[_label(formats, month) for month in marked])
    return Chart(title, _summary(locale, title, months, series, format_value), figure.to_json() or "")


def _label(formats: Formats, month: str) -> str:
    """Return a month as a narrow axis label of two lines."""
    name, _, year = formats.month(month, short=True).rpartition(" ")
    return f"{name}<br>{year}"


def _summary(
    locale: Locale, title: str, months: Sequence[str], series: Sequence[Series], format_value: Callable[[Decimal], str]
) -> str:
    """Return one sentence with the chart's title, its first and last month, and its last values."""
    if not months:
        return title
    translate, formats = locale.translate, locale.formats
    last = "; ".join(f"{item.name}: {format_value(item.values[-1])}" for item in series)
    return translate.plain(
        "charts.months_summary",
        title=title,
        first=formats.month(months[0]),
        last=formats.month(months[-1]),
        values=last,
    )


def _apply_layout(figure: go.Figure, formats: Formats, unit: str, *, stacked: bool = False) -> None:
    """Apply the layout that all charts share."""
    figure.update_layout(
        template=None,
        height=_HEIGHT,
        barmode="stack" if stacked else "group",
        bargap=0.3,
        separators=formats.separators,
        margin={"l": 56, "r": 8, "t": 32, "b": 40},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        font={"color": "var(--text-soft)", "family": "system-ui, sans-serif", "size": 12},
        legend={"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom", "xanchor": "left"},
        hoverlabel={"bgcolor": "var(--surface)", "bordercolor": "var(--line)", "font": {"color": "var(--text)"}},
        hovermode="closest",
        dragmode=False,
    )
    figure.update_xaxes(type="category", fixedrange=True, linecolor="var(--line)", showgrid=False, tickangle=0)
    figure.update_yaxes(
        type="linear",
        fixedrange=True,
        gridcolor="var(--line)",
        zerolinecolor="var(--text-soft)",
        zeroline=True,
        title={"text": unit, "font": {"size": 12}},
        automargin=True,
        tickformat=",~r",
        nticks=5,
    )


def _unit_power(values: Iterable[Decimal]) -> int:
    """Return the exponent of the largest power of a thousand that is not above the largest value."""
    largest = max((value.copy_abs() for value in values), default=Decimal(0))
    return max((power for power in _UNITS if largest >= Decimal(1).scaleb(power)), default=0)


def _in_units(value: Decimal, power: int) -> str:
    with localcontext(EXACT_CONTEXT):
        return f"{strip_trailing_zeros(value.scaleb(-power)):f}"
