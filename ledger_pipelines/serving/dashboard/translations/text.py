"""A text in the languages of the dashboard."""

from typing import NamedTuple


class Text(NamedTuple):
    """A text in English and in Indonesian."""

    en: str
    id: str
