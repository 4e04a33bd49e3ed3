"""Entries of the navigation. A page declares its entry in its module."""

from dataclasses import dataclass


@dataclass(frozen=True, order=True)
class NavEntry:
    """Entry of the navigation.

    Attributes:
        position: Entries are ordered by position.
        path: Path of the page.
        label: Key of the text.
        for_admins: Whether only administrators see the entry.
    """

    position: int
    path: str
    label: str
    for_admins: bool = False
