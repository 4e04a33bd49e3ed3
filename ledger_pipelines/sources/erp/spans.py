"""Spans of days, and selections of a table's rows by them."""

from collections.abc import Sequence
from dataclasses import dataclass

from ledger_pipelines.sources.dialects.parts import Span


@dataclass(frozen=True)
class Wanted:
    """Selection of rows to read.

    Attributes:
        spans: Selects the rows whose first month column that is not null is within one of these spans.
        undated: Selects the rows without a day, too: every month column is null, or the first that is not null holds no
            day of the calendar (MySQL's 0000-00-00, PostgreSQL's infinity).
        everything: Selects the whole table; overrides the other attributes.
    """

    spans: tuple[Span, ...] = ()
    undated: bool = False
    everything: bool = False


EVERYTHING = Wanted(everything=True)


def merged(spans: Sequence[Span]) -> list[Span]:
    """Merge spans into the fewest that cover the same days: sorted, not empty, not overlapping."""
    result: list[Span] = []
    for span in sorted(spans, key=lambda each: each.first):
        last = result[-1] if result else None
        if span.after is not None and span.first >= span.after:
            continue
        if last is None or (last.after is not None and last.after < span.first):
            result.append(span)
        elif last.after is not None:
            result[-1] = Span(last.first, span.after and max(last.after, span.after))
    return result
