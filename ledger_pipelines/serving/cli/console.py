"""How the commands speak: results on stdout, messages and progress on stderr, everything as JSON if asked for."""

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from decimal import Decimal
from typing import Any

from rich import box
from rich.cells import cell_len
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from ledger_pipelines.serving.errors import EXPLAINED

_FILE_WIDTH = 140  # of tables that go into a file or a pipe
_LEAST_TEXT = 24  # of a column of texts: times and periods still fit into one line
_AROUND_A_COLUMN = 3  # a blank on either side, and one where a line would be
_AROUND_A_TABLE = 1

#: Where results go.
out = Console(highlight=False, width=None if sys.stdout.isatty() else _FILE_WIDTH)
#: Where messages, progress and errors go.
err = Console(stderr=True, highlight=False)


def say(message: str) -> None:
    """Tell a person, on stderr, what is being done."""
    err.print(message, soft_wrap=True)


def complain(error: BaseException | str) -> None:
    """Tell what went wrong, in one message on stderr."""
    err.print("Error:", style="bold red", end=" ")
    err.print(str(error), markup=False, soft_wrap=True)


def print_json(value: Any) -> None:
    """Print a value as JSON on stdout; decimals as text, so that no digit is lost."""
    sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=False, default=str) + "\n")


@contextmanager
def answering(*, as_json: bool) -> Iterator[None]:
    """Let an explained error be an answer in JSON too, where one is expected."""
    try:
        yield
    except EXPLAINED as error:
        if as_json:
            print_json({"success": False, "error": str(error)})
        raise


def print_table(
    title: str | None, columns: Sequence[str], rows: Sequence[Sequence[object]], whole: Sequence[str] = ()
) -> None:
    """Print a table; what does not fit makes it wider than the terminal, since what is broken cannot be read or copied.

    Only texts of several words are wrapped, between words. Numbers are aligned to the right, their thousands separated.

    Args:
        title: Printed above it, if there is one.
        columns: The headings.
        rows: A value for each column; times are shown to the second.
        whole: Headings of columns that are to be copied, such as ids: not wrapped, and nothing separates thousands.
    """
    cells = [[shown(value, as_it_is=name in whole) for name, value in zip(columns, row, strict=True)] for row in rows]
    by_column = [[name, *(row[at] for row in cells)] for at, name in enumerate(columns)]
    natural = [max(map(_width, texts)) for texts in by_column]
    least = [
        width if name in whole else _least_width(texts, width)
        for name, texts, width in zip(columns, by_column, natural, strict=True)
    ]
    around = len(columns) * _AROUND_A_COLUMN + _AROUND_A_TABLE
    widths = _fitted(natural, least, out.width - around)
    table = Table(box=box.SIMPLE_HEAD, width=sum(widths) + around)
    for at, (name, width) in enumerate(zip(columns, widths, strict=True)):
        amounts = any(_is_amount(row[at]) for row in rows)
        table.add_column(Text(name), justify="right" if amounts else "left", width=width)
    for row in cells:
        table.add_row(*map(Text, row))
    if title is not None:
        out.print(Text(title, style="bold"), soft_wrap=True)
    out.print(table, crop=False)


def _width(text: str) -> int:
    """How many places of a terminal a text takes; if it has several lines, the longest."""
    return max(map(cell_len, text.splitlines()), default=0)


def _least_width(texts: Sequence[str], natural: int) -> int:
    """To what a column may be narrowed: its heading, which comes first, and every word of it stay whole."""
    words = (word for text in texts[1:] for word in text.split())
    return max(_width(texts[0]), min(natural, _LEAST_TEXT), max(map(cell_len, words), default=0))


def _fitted(natural: Sequence[int], least: Sequence[int], room: int) -> list[int]:
    """The widths of columns that are to fit into a room: the widest are narrowed first, none below its least."""
    widths = [max(low, min(width, room)) for width, low in zip(natural, least, strict=True)]
    while sum(widths) > room:
        loose = [at for at, width in enumerate(widths) if width > least[at]]
        if not loose:
            break
        widths[max(loose, key=widths.__getitem__)] -= 1
    return widths


def shown(value: object, *, as_it_is: bool = False) -> str:
    """A value as it is shown in a table; a time by the clock it comes with, which is the company's.

    Args:
        value: Of any type.
        as_it_is: Nothing separates the thousands of a number.
    """
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M:%S}"
    return f"{value:,}" if _is_amount(value) and not as_it_is else str(value)


def _is_amount(value: object) -> bool:
    """Whether a value is a number, which yes and no are to Python only."""
    return isinstance(value, int | float | Decimal) and not isinstance(value, bool)


def progress_bar() -> Progress:
    """A progress bar on stderr, gone when done; nothing where stderr is no terminal."""
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=err,
        transient=True,
        disable=not err.is_terminal,
    )
