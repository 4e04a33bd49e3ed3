"""Every text of the dashboard in both languages, by a key such as `overview.title`.

A text that lacks a language does not type-check. Values are named placeholders in braces.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from pkgutil import iter_modules

from markupsafe import Markup, escape

from ledger_pipelines.serving.dashboard.translations import texts
from ledger_pipelines.serving.dashboard.translations.formats import Language
from ledger_pipelines.serving.dashboard.translations.text import Text

CATALOGUE: Mapping[str, Text] = {
    f"{section.name}.{key}": text
    for section in iter_modules(texts.__path__)
    for key, text in import_module(f"{texts.__name__}.{section.name}").TEXTS.items()
}


@dataclass(frozen=True)
class Translator:
    """Lookup of texts in one language."""

    language: Language

    def __call__(self, key: str, **values: object) -> Markup:
        """Return a text as markup; values are escaped unless they are markup.

        Raises:
            KeyError: There is no text with this key.
        """
        return Markup(escape(self._text(key))).format(**values)  # noqa: S704 - the text is escaped here

    def plain(self, key: str, **values: object) -> str:
        """Return a text as a plain string, for example for a chart."""
        return self._text(key).format(**values)

    def has(self, key: str) -> bool:
        """Return whether there is a text with this key, for keys built from a value such as a status."""
        return key in CATALOGUE

    def _text(self, key: str) -> str:
        text = CATALOGUE[key]
        return text.id if self.language == "id" else text.en
