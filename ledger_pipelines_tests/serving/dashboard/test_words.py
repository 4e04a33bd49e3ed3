"""Every text is there in both languages, every text that a page asks for is there, and none is left over."""

import re
from pathlib import Path
from string import Formatter

import pytest
import sqlalchemy as sa
from jinja2 import nodes

import ledger_pipelines.serving.dashboard as dashboard
from ledger_pipelines.serving.dashboard.rendering import environment
from ledger_pipelines.serving.dashboard.words import CATALOGUE, Words
from ledger_pipelines.serving.dashboard.words.reasons import PHRASES, in_words
from ledger_pipelines.warehouse.tables import rejected_rows
from ledger_pipelines_tests.serving.conftest import Installation

FOLDER = Path(dashboard.__file__).parent
_KEY = re.compile(r"[\"']([a-z]+\.[a-z0-9_]+)[\"']")
_MADE = re.compile(r"f\"([a-z]+\.[a-z_]*)\{|\"([a-z]+\.[a-z_]*_)\"")


def asked_for() -> tuple[set[str], set[str]]:
    """The keys that templates and modules name, and how those begin that are put together."""
    keys: set[str] = set()
    beginnings: set[str] = set()
    for name in environment().list_templates(extensions=["html"]):
        source = (FOLDER / "templates" / name).read_text(encoding="utf-8")
        for call in environment().parse(source).find_all(nodes.Call):
            if isinstance(call.node, nodes.Name) and call.node.name == "w":
                key = call.args[0]
                if isinstance(key, nodes.Const):
                    keys.add(key.value)
                else:
                    assert isinstance(key, nodes.Concat), f"{name}: {key}"
                    assert isinstance(key.nodes[0], nodes.Const)
                    beginnings.add(key.nodes[0].value)
    for module in [*FOLDER.glob("*.py"), *FOLDER.glob("pages/*.py")]:
        source = module.read_text(encoding="utf-8")
        keys |= {key for key in _KEY.findall(source) if key.partition(".")[0] in ROOMS and not key.endswith(".html")}
        beginnings |= {first or second for first, second in _MADE.findall(source)}
    return keys, beginnings


ROOMS = {key.partition(".")[0] for key in CATALOGUE}


@pytest.mark.parametrize("key", CATALOGUE)
def test_a_text_says_something_in_both_languages(key: str) -> None:
    english, indonesian = CATALOGUE[key]
    assert english.strip() == english != ""
    assert indonesian.strip() == indonesian != ""
    fields = [{field for _, field, _, _ in Formatter().parse(text) if field} for text in (english, indonesian)]
    assert fields[0] == fields[1], "what is filled in must be the same"


def test_what_pages_ask_for_is_there() -> None:
    keys, beginnings = asked_for()
    assert keys - CATALOGUE.keys() == set()
    assert [start for start in beginnings if not any(key.startswith(start) for key in CATALOGUE)] == []


def test_no_text_is_left_over() -> None:
    keys, beginnings = asked_for()
    assert [key for key in CATALOGUE if key not in keys and not key.startswith(tuple(beginnings))] == []


def test_what_is_filled_in_is_escaped() -> None:
    assert Words("en")("customer.none_found", q="<b>") == "No customer is found by “&lt;b&gt;”."


def test_reasons_of_the_demo_are_put_into_indonesian(computed: Installation) -> None:
    with computed.warehouse() as connection:
        reasons = connection.scalars(sa.select(rejected_rows.c.reason).distinct()).all()
    assert reasons
    for reason in reasons:
        translated = in_words("id", reason)
        assert translated != reason
        assert in_words("en", reason) == reason
        assert re.findall(r"\d+", translated) == re.findall(r"\d+", reason), "values stay as they are"


def test_no_phrase_is_hidden_by_a_shorter_one() -> None:
    for phrase, translated in PHRASES.items():
        assert in_words("id", phrase) == translated
