"""Decoding of texts that a driver cannot read: they are selected as bytes and decoded here.

SQL Server stores a character outside the basic plane, such as an emoji, as two surrogates, and LEFT() may cut off one
of them; MariaDB can store a lone surrogate as well. Drivers fail on such a text. Decoded here, the text keeps the lone
surrogate, so that its row can be rejected and all other rows are copied.
"""

from collections.abc import Sequence
from typing import Any

from ledger_pipelines.sources.dialects.base import Server

Row = tuple[Any, ...]


def with_texts(chunk: Sequence[Row], positions: Sequence[int], server: Server) -> list[Row]:
    """Return rows in which the bytes at these positions are decoded to texts."""
    return [_with_texts(row, positions, server) for row in chunk]


def _with_texts(row: Row, positions: Sequence[int], server: Server) -> Row:
    values = list(row)
    for position in positions:
        if values[position] is not None:
            values[position] = server.decoded(bytes(values[position]))
    return tuple(values)
