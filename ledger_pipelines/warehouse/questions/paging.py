"""A page of a longer list."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

Item = TypeVar("Item")


@dataclass(frozen=True)
class Paged(Generic[Item]):
    """Some items of a list, and which they are.

    Attributes:
        items: Those of this page.
        number: Which page it is, from 1.
        per_page: How many items a full page has.
        total: How many items there are on all pages.
    """

    items: Sequence[Item]
    number: int
    per_page: int
    total: int

    @property
    def last_page(self) -> int:
        """The number of the last page; 1 if there are no items at all."""
        return max(1, -(-self.total // self.per_page))

    @property
    def first_item(self) -> int:
        """The number of the first item of this page, counted over all pages; 0 if it has none."""
        return (self.number - 1) * self.per_page + 1 if self.items else 0

    @property
    def last_item(self) -> int:
        """The number of the last item of this page; 0 if it has none."""
        return self.first_item + len(self.items) - 1 if self.items else 0

    def pagination(self) -> dict[str, int | None]:
        """Which part of the list it is, for a program; `from` and `to` are null on a page without items."""
        return {
            "current_page": self.number,
            "last_page": self.last_page,
            "per_page": self.per_page,
            "total": self.total,
            "from": self.first_item or None,
            "to": self.last_item or None,
        }


def offset(number: int, per_page: int) -> int:
    """How many items come before a page."""
    return (number - 1) * per_page
