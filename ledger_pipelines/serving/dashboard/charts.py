"""The charts: figures by Plotly, built here from exact figures, drawn by the browser.

Amounts travel as text with all their digits, divided by a round unit; what one reads when pointing at a bar is the
amount in full, put into words here. Colours are names of the stylesheet, which the page's script looks up, so that a
chart follows light and dark. Each chart comes with a table of the same figures in its page, for who cannot see it.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal, localcontext

import plotly.graph_objects as go

from ledger_pipelines.serving.dashboard.formats import Formats, trimmed
from ledger_pipelines.serving.dashboard.words import Words
from ledger_pipelines.warehouse.questions.exact import EXACT
from ledger_pipelines.warehouse.sync_logs import SyncLog

_UNITS = {0: "one", 3: "thousand", 6: "million", 9: "billion", 12: "trillion"}
_HEIGHT = 260
_MOST_LABELS = 6


@dataclass(frozen=True)
class Series:
    """One thing in a chart.

    Attributes:
        name: What it is, for the legend.
        values: Its value at each place of the axis.
        colour: A custom property of the stylesheet, without its dashes.
        hatched: Whether its bars are hatched, to be told apart without colour.
    """

    name: str
    values: Sequence[Decimal]
    colour: str
    hatched: bool = False


@dataclass(frozen=True)
class Chart:
    """A chart as a page shows it: the figure as JSON, what it is called, and what it says in a sentence."""

    title: str
    summary: str
    figure: str


@dataclass(frozen=True)
class Reader:
    """For whom charts are drawn."""

    words: Words
    formats: Formats


def monthly_amounts(
    reader: Reader, title: str, months: Sequence[str], series: Sequence[Series], *, lines: bool = False
) -> Chart:
    """Amounts of money by month, as bars beside each other or as lines."""
    return _by_month(reader, title, months, series, "rupiah", reader.formats.rupiah, lines=lines)


def monthly_volume(reader: Reader, title: str, months: Sequence[str], volumes: Sequence[Decimal]) -> Chart:
    """Volumes by month, as bars."""
    series = [Series(title, volumes, "chart-volume")]
    return _by_month(reader, title, months, series, "sm3", lambda value: f"{reader.formats.number(value)} Sm³")


def sync_durations(reader: Reader, logs: Sequence[SyncLog]) -> Chart:
    """How long syncs took, the earliest first, by how they ended."""
    words, formats = reader.words, reader.formats
    ended = [log for log in reversed(logs) if log.duration is not None]
    figure = go.Figure()
    for status in ("completed", "failed", "cancelled"):
        of_status = [log for log in ended if log.status == status]
        figure.add_bar(
            x=[f"#{log.id}" for log in of_status],
            y=[str(log.duration) for log in of_status],
            name=words.plain(f"sync.status_{status}"),
            marker={"color": f"var(--chart-{status})", "pattern": {"shape": "" if status == "completed" else "/"}},
            hovertext=[
                f"#{log.id}<br>{formats.moment(log.started_at)}<br>{formats.seconds(log.duration or Decimal(0))}"
                for log in of_status
            ],
            hoverinfo="text",
        )
    title = words.plain("charts.durations")
    unit = words.plain("charts.seconds")
    _lay_out(figure, formats, unit, stacked=True)
    figure.update_xaxes(categoryorder="array", categoryarray=[f"#{log.id}" for log in ended])
    return Chart(title, words.plain("charts.of_syncs", title=title, count=len(ended)), figure.to_json() or "")


def _by_month(
    reader: Reader,
    title: str,
    months: Sequence[str],
    series: Sequence[Series],
    unit: str,
    shown: Callable[[Decimal], str],
    *,
    lines: bool = False,
) -> Chart:
    formats = reader.formats
    power = _power(value for one in series for value in one.values)
    figure = go.Figure()
    for one in series:
        of_months = zip(months, one.values, strict=True)
        hover = [f"{formats.month(month)}<br>{one.name}: {shown(value)}" for month, value in of_months]
        common = {
            "x": list(months),
            "y": [_in_units(value, power) for value in one.values],
            "name": one.name,
            "hovertext": hover,
            "hoverinfo": "text",
        }
        colour = f"var(--{one.colour})"
        if lines:
            figure.add_scatter(**common, mode="lines+markers", line={"color": colour, "width": 2}, marker={"size": 6})
        else:
            pattern = {"shape": "/" if one.hatched else "", "fillmode": "replace", "solidity": 0.4}
            figure.add_bar(**common, marker={"color": colour, "pattern": pattern})
    words = reader.words
    _lay_out(figure, formats, words.plain(f"charts.{unit}_{_UNITS[power]}"))
    figure.update_layout(showlegend=len(series) > 1)
    marked = months[:: -(-len(months) // _MOST_LABELS)] if months else []
    figure.update_xaxes(tickvals=marked, ticktext=[_label(formats, month) for month in marked])
    return Chart(title, _summary(reader, title, months, series, shown), figure.to_json() or "")


def _label(formats: Formats, month: str) -> str:
    """A month on two lines, so that it needs little room."""
    name, _, year = formats.month(month, short=True).rpartition(" ")
    return f"{name}<br>{year}"


def _summary(
    reader: Reader, title: str, months: Sequence[str], series: Sequence[Series], shown: Callable[[Decimal], str]
) -> str:
    """The chart in a sentence: what it shows, from when to when, and its last values."""
    if not months:
        return title
    words, formats = reader.words, reader.formats
    last = "; ".join(f"{one.name}: {shown(one.values[-1])}" for one in series)
    return words.plain(
        "charts.of_months", title=title, first=formats.month(months[0]), last=formats.month(months[-1]), values=last
    )


def _lay_out(figure: go.Figure, formats: Formats, unit: str, *, stacked: bool = False) -> None:
    """How all charts look."""
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


def _power(values: Iterable[Decimal]) -> int:
    """The greatest power of a thousand that the largest value reaches."""
    largest = max((value.copy_abs() for value in values), default=Decimal(0))
    return max((power for power in _UNITS if largest >= Decimal(1).scaleb(power)), default=0)


def _in_units(value: Decimal, power: int) -> str:
    with localcontext(EXACT):
        return f"{trimmed(value.scaleb(-power)):f}"
