"""Output of the commands: results on stdout, messages and progress on stderr; JSON with `--json`."""

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any

import typer
from rich import box
from rich.cells import cell_len
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from ledger_pipelines.errors import LedgerError

_FILE_WIDTH = 140  # of tables written to a file or a pipe
_MIN_TEXT_WIDTH = 24  # of a text column: timestamps and periods still fit into one line
_COLUMN_PADDING = 3  # a blank on either side and the separator
_TABLE_PADDING = 1
_TO_COPY = ("id", "customer id", "bp code")

#: For results.
out = Console(highlight=False, width=None if sys.stdout.isatty() else _FILE_WIDTH)
#: For messages, progress and errors.
err = Console(stderr=True, highlight=False)


def print_message(message: str) -> None:
    """Print a message on stderr."""
    err.print(message, soft_wrap=True)


def print_error(error: BaseException | str) -> None:
    """Print an error as one message on stderr."""
    err.print("Error:", style="bold red", end=" ")
    err.print(str(error), markup=False, soft_wrap=True)


AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON, and nothing else, on stdout.")]
"""The option `--json` of a command."""


def print_success(**result: object) -> None:
    """Print the result of a command that succeeded as JSON."""
    print_json({"success": True, **result})


def print_json(value: Any) -> None:
    """Print a value as JSON on stdout; decimals become strings, which keep every digit."""
    sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=False, default=str) + "\n")


@contextmanager
def json_errors(*, as_json: bool) -> Iterator[None]:
    """Print an explained error as JSON on stdout, if JSON is wanted, and re-raise it."""
    try:
        yield
    except LedgerError as error:
        if as_json:
            print_json({"success": False, "error": str(error)})
        raise


def print_table(
    title: str | None, columns: Sequence[str], rows: Sequence[Sequence[object]], verbatim: Sequence[str] = ()
) -> None:
    """Print a table. It becomes wider than the terminal rather than break a word, an id or an amount.

    Only texts of several words are wrapped, between words. Numbers are right-aligned with thousands separators.

    Args:
        title: Printed above the table; None for no title.
        columns: The headings.
        rows: One value per column; times are shown to the second.
        verbatim: Headings of columns to be copied, such as ids: not wrapped, without thousands separators.
    """
    cells = [
        [format_value(value, verbatim=name in verbatim) for name, value in zip(columns, row, strict=True)]
        for row in rows
    ]
    by_column = [[name, *(row[at] for row in cells)] for at, name in enumerate(columns)]
    natural = [max(map(_width, texts)) for texts in by_column]
    minimum = [
        width if name in verbatim else _min_width(texts, width)
        for name, texts, width in zip(columns, by_column, natural, strict=True)
    ]
    padding = len(columns) * _COLUMN_PADDING + _TABLE_PADDING
    widths = _fit_widths(natural, minimum, out.width - padding)
    table = Table(box=box.SIMPLE_HEAD, width=sum(widths) + padding)
    for at, (name, width) in enumerate(zip(columns, widths, strict=True)):
        amounts = any(_is_amount(row[at]) for row in rows)
        table.add_column(Text(name), justify="right" if amounts else "left", width=width)
    for row in cells:
        table.add_row(*map(Text, row))
    if title is not None:
        out.print(Text(title, style="bold"), soft_wrap=True)
    out.print(table, crop=False)


def print_records(title: str, columns: Sequence[str], rows: Sequence[Mapping[str, object]]) -> None:
    """Print some columns of rows as a table, under their names; ids and codes are to be copied."""
    headings = [column.replace("_", " ") for column in columns]
    print_table(title, headings, [[row[column] for column in columns] for row in rows], _TO_COPY)


def _width(text: str) -> int:
    """Return the terminal width of the longest line of a text."""
    return max(map(cell_len, text.splitlines()), default=0)


def _min_width(texts: Sequence[str], natural: int) -> int:
    """Return the smallest width of a column that breaks neither its heading, which comes first, nor a word."""
    words = (word for text in texts[1:] for word in text.split())
    return max(_width(texts[0]), min(natural, _MIN_TEXT_WIDTH), max(map(cell_len, words), default=0))


def _fit_widths(natural: Sequence[int], minimum: Sequence[int], room: int) -> list[int]:
    """Return column widths that fit into the room: the widest are narrowed first, none below its minimum."""
    widths = [max(low, min(width, room)) for width, low in zip(natural, minimum, strict=True)]
    while sum(widths) > room:
        shrinkable = [at for at, width in enumerate(widths) if width > minimum[at]]
        if not shrinkable:
            break
        widths[max(shrinkable, key=widths.__getitem__)] -= 1
    return widths


def format_value(value: object, *, verbatim: bool = False) -> str:
    """Return the text of a value in a table; a time keeps its own time zone, which is the company's.

    Args:
        value: A value of any type.
        verbatim: Omit the thousands separators of a number.
    """
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M:%S}"
    return f"{value:,}" if _is_amount(value) and not verbatim else str(value)


def _is_amount(value: object) -> bool:
    """Return whether a value is a number; Python counts booleans as numbers, this function does not."""
    return isinstance(value, int | float | Decimal) and not isinstance(value, bool)


def progress_bar() -> Progress:
    """Return a progress bar on stderr that disappears when done; invisible if stderr is no terminal."""
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
