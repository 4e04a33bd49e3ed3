"""Descriptions of read models in the API's document, from the comments of the tables that they are read from."""

from collections.abc import Callable
from typing import Annotated, TypeVar

import sqlalchemy as sa
from pydantic import Field

T = TypeVar("T", bound=type)


def described_by(table: sa.Table) -> Callable[[T], T]:
    """Return a decorator of classes below `dataclass`: each field gets the comment of the column with its name."""

    def describe(read_model: T) -> T:
        for name, kind in read_model.__annotations__.items():
            read_model.__annotations__[name] = Annotated[kind, Field(description=table.c[name].comment)]
        return read_model

    return describe
