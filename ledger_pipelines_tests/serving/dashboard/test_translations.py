"""Translations: complete in both languages, every used key exists, every text is used."""

import re
from pathlib import Path
from string import Formatter

import pytest
import sqlalchemy as sa
from jinja2 import nodes

import ledger_pipelines.serving.dashboard as dashboard
from ledger_pipelines.rejection_reasons import RejectionReason
from ledger_pipelines.serving.dashboard.rendering import environment
from ledger_pipelines.serving.dashboard.translations import CATALOGUE, Translator
from ledger_pipelines.warehouse.tables import rejected_rows
from ledger_pipelines_tests.support.serving.installation import Installation

FOLDER = Path(dashboard.__file__).parent
_KEY = re.compile(r"[\"']([a-z]+\.[a-z0-9_]+)[\"']")
_BUILT_KEY = re.compile(r"f\"([a-z]+\.[a-z_]*)\{|\"([a-z]+\.[a-z_]*_)\"")


def used_keys() -> tuple[set[str], set[str]]:
    """Return the keys in templates and modules, and the prefixes of keys that are built from a value."""
    keys: set[str] = set()
    prefixes: set[str] = set()
    for name in environment().list_templates(extensions=["html"]):
        source = (FOLDER / "templates" / name).read_text(encoding="utf-8")
        parsed = environment().parse(source)
        with_values = (value for block in parsed.find_all(nodes.With) for value in block.values)
        prefixes |= {value.value for value in with_values if isinstance(value, nodes.Const)}
        for call in parsed.find_all(nodes.Call):
            if isinstance(call.node, nodes.Name) and call.node.name == "w":
                key = call.args[0]
                if isinstance(key, nodes.Const):
                    keys.add(key.value)
                elif not isinstance(key, nodes.Getattr):  # the key of an object of a module, such as a NavEntry
                    assert isinstance(key, nodes.Concat), f"{name}: {key}"
                    start = key.nodes[0]
                    if not isinstance(start, nodes.Name):  # a name gets its value in a `with` block
                        assert isinstance(start, nodes.Const)
                        prefixes.add(start.value)
    for module in [*FOLDER.glob("*.py"), *FOLDER.glob("pages/*.py")]:
        source = module.read_text(encoding="utf-8")
        keys |= {
            key
            for key in _KEY.findall(source)
            if key.partition(".")[0] in SECTIONS and not key.endswith((".html", "_"))
        }
        prefixes |= {first or second for first, second in _BUILT_KEY.findall(source)}
    return keys, prefixes


SECTIONS = {key.partition(".")[0] for key in CATALOGUE}


@pytest.mark.parametrize("key", CATALOGUE)
def test_text_exists_in_both_languages(key: str) -> None:
    english, indonesian = CATALOGUE[key]
    assert english.strip() == english != ""
    assert indonesian.strip() == indonesian != ""
    fields = [{field for _, field, _, _ in Formatter().parse(text) if field} for text in (english, indonesian)]
    assert fields[0] == fields[1], "placeholders must be the same"


def test_used_keys_exist() -> None:
    keys, prefixes = used_keys()
    assert keys - CATALOGUE.keys() == set()
    assert [start for start in prefixes if not any(key.startswith(start) for key in CATALOGUE)] == []


def test_every_text_is_used() -> None:
    keys, prefixes = used_keys()
    assert [key for key in CATALOGUE if key not in keys and not key.startswith(tuple(prefixes))] == []


def test_values_are_escaped() -> None:
    assert Translator("en")("customer.none_found", q="<b>") == "No customer matches “&lt;b&gt;”."


def test_reasons_of_the_demo_are_shown_in_both_languages(computed: Installation) -> None:
    with computed.warehouse() as connection:
        rows = connection.execute(sa.select(rejected_rows).distinct()).all()
    assert rows
    for row in rows:
        reason = RejectionReason.stored(row.reason_code, row.reason_params)
        assert (str(reason), reason.kind()) == (row.reason, row.reason_kind)
        assert reason.text("id") != row.reason
        assert re.findall(r"\d+", reason.text("id")) == re.findall(r"\d+", row.reason), "values are kept"
