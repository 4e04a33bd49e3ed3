"""Every text of the dashboard, in both languages side by side, by a key such as `overview.title`.

A text without one of its languages does not type-check. Values stand in braces and are filled in by name.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from markupsafe import Markup, escape

from ledger_pipelines.serving.dashboard.formats import Language
from ledger_pipelines.serving.dashboard.words import (
    access,
    charts,
    customer,
    explanation,
    first,
    incidents,
    overview,
    reconciliation,
    records,
    site,
    sync,
)
from ledger_pipelines.serving.dashboard.words.text import Text

_ROOMS = (access, charts, customer, explanation, first, incidents, overview, reconciliation, records, site, sync)

CATALOGUE: Mapping[str, Text] = {
    f"{room.__name__.rpartition('.')[2]}.{key}": text for room in _ROOMS for key, text in room.WORDS.items()
}


@dataclass(frozen=True)
class Words:
    """The texts in one language."""

    language: Language

    def __call__(self, key: str, **values: object) -> Markup:
        """A text for a page; what is filled in is escaped unless it is markup.

        Raises:
            KeyError: there is no text of this key.
        """
        return Markup(escape(self._text(key))).format(**values)  # noqa: S704 - the text is escaped just here

    def plain(self, key: str, **values: object) -> str:
        """A text for where there is no markup, such as a chart."""
        return self._text(key).format(**values)

    def knows(self, key: str) -> bool:
        """Whether there is a text of this key: one that is made of a value, such as a status."""
        return key in CATALOGUE

    def _text(self, key: str) -> str:
        text = CATALOGUE[key]
        return text.id if self.language == "id" else text.en
