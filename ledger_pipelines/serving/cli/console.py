"""How the commands speak: results on stdout, messages and progress on stderr, everything as JSON if asked for."""

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

from rich import box
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from ledger_pipelines.serving.errors import EXPLAINED

_FILE_WIDTH = 140  # of tables that go into a file or a pipe

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


def table_of(title: str | None, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> Table:
    """A table; numbers are aligned to the right and never cut, their thousands separated."""
    table = Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD)
    for position, name in enumerate(columns):
        values = [row[position] for row in rows]
        if any(isinstance(value, int | float | Decimal) for value in values):
            table.add_column(name, justify="right", no_wrap=True, min_width=max(len(shown(value)) for value in values))
        else:
            table.add_column(name, overflow="fold")
    for row in rows:
        table.add_row(*(shown(value) for value in row))
    return table


def shown(value: object) -> str:
    """A value as it is shown in a table."""
    if value is None:
        return ""
    return f"{value:,}" if isinstance(value, int | float | Decimal) else str(value)


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
