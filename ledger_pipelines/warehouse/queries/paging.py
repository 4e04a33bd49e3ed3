"""Pages of a list."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

Item = TypeVar("Item")


@dataclass(frozen=True)
class ResultPage(Generic[Item]):
    """A page of a list.

    Attributes:
        items: The items of this page.
        number: Number of the page, from 1.
        per_page: Maximum number of items per page.
        total: Number of items on all pages.
    """

    items: Sequence[Item]
    number: int
    per_page: int
    total: int

    @property
    def last_page(self) -> int:
        """Number of the last page; 1 for an empty list."""
        return max(1, -(-self.total // self.per_page))

    @property
    def first_item(self) -> int:
        """Number of this page's first item, counted over all pages; 0 for an empty page."""
        return (self.number - 1) * self.per_page + 1 if self.items else 0

    @property
    def last_item(self) -> int:
        """Number of this page's last item, counted over all pages; 0 for an empty page."""
        return self.first_item + len(self.items) - 1 if self.items else 0

    def pagination(self) -> dict[str, int | None]:
        """Return the API's pagination fields; `from` and `to` are null for an empty page."""
        return {
            "current_page": self.number,
            "last_page": self.last_page,
            "per_page": self.per_page,
            "total": self.total,
            "from": self.first_item or None,
            "to": self.last_item or None,
        }


def page_offset(number: int, per_page: int) -> int:
    """Return the number of items before a page."""
    return (number - 1) * per_page
