"""Translations: complete in both languages, every used key exists, every text is used."""

import re
from pathlib import Path
from string import Formatter

import pytest
import sqlalchemy as sa
from jinja2 import nodes

import ledger_pipelines.serving.dashboard as dashboard
from ledger_pipelines.serving.dashboard.rendering import environment
from ledger_pipelines.serving.dashboard.translations import CATALOGUE, Translator
from ledger_pipelines.serving.dashboard.translations.reasons import REASONS, translate_reason
from ledger_pipelines.sources.billing.rules import (
    CUSTOMERS,
    DEPOSITS,
    NOT_NULLABLE,
    NOT_UNIQUE,
    PRICES,
    READINGS,
    RecordRules,
    format_reason,
)
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
        for call in environment().parse(source).find_all(nodes.Call):
            if isinstance(call.node, nodes.Name) and call.node.name == "w":
                key = call.args[0]
                if isinstance(key, nodes.Const):
                    keys.add(key.value)
                elif not isinstance(key, nodes.Getattr):  # the key of an object of a module, such as a NavEntry
                    assert isinstance(key, nodes.Concat), f"{name}: {key}"
                    assert isinstance(key.nodes[0], nodes.Const)
                    prefixes.add(key.nodes[0].value)
    for module in [*FOLDER.glob("*.py"), *FOLDER.glob("pages/*.py")]:
        source = module.read_text(encoding="utf-8")
        keys |= {key for key in _KEY.findall(source) if key.partition(".")[0] in SECTIONS and not key.endswith(".html")}
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


_ENGLISH_WORD = re.compile(r"\b(?:the|is|are|not|no|missing|negative|date|dated|before|after|none|given)\b")


def test_reasons_of_the_demo_are_translated(computed: Installation) -> None:
    with computed.warehouse() as connection:
        columns = (rejected_rows.c.reason, rejected_rows.c.reason_kind)
        reasons = {reason for column in columns for reason in connection.scalars(sa.select(column).distinct())}
    assert reasons
    for reason in reasons:
        translated = translate_reason("id", reason)
        assert translate_reason("en", reason) == (reason, False)
        if not translated.is_untranslated:
            assert re.findall(r"\d+", translated.text) == re.findall(r"\d+", reason), "values are kept"
        from_python = "not JSON: " in reason or "; day is out of range" in reason
        assert translated.is_untranslated == from_python, reason


@pytest.mark.parametrize(
    ("reason", "translated"),
    [
        ("date is missing", "isian date tidak ada"),
        ("the volume is negative (volume)", "volume negatif (volume)"),
        ("none of metered, fob (kind)", "bukan salah satu dari metered, fob (kind)"),
        ("no date", "tidak ada tanggal"),
        ("no date: a is missing", "tidak ada tanggal: isian a tidak ada"),
        ("no date: a and b are missing", "tidak ada tanggal: isian a dan b tidak ada"),
        ("no date: a and b and c are missing", "tidak ada tanggal: isian a, b, dan c tidak ada"),
        ("user … is no customer (role admin)", "pengguna … bukan pelanggan (peran admin)"),
        ("user 7 is no customer (role null)", "pengguna 7 bukan pelanggan (peran null)"),
        ('user 7 is no customer (role "meja kas")', 'pengguna 7 bukan pelanggan (peran "meja kas")'),
        ("customer_id is not a whole number from 1 to 9223372036854775807: -5",
         "isian customer_id bukan bilangan bulat dari 1 sampai 9223372036854775807: -5"),
        ("id is not a whole number from … to …", "isian id bukan bilangan bulat dari … sampai …"),
        (
            "dated …-…, after the current month …-…",
            "bertanggal …-…, setelah bulan berjalan …-…",
        ),
        ('amount is not a number: "is missing"', 'isian amount bukan angka: "is missing"'),
        ("year_month: '2025-3' is no month: expected YYYY-MM, for example 2025-03",
         "year_month: '2025-3' bukan bulan: seharusnya YYYY-MM, misalnya 2025-03"),
        ("amount is out of range (10^15 or more): 1e20", "isian amount di luar batas (10^15 atau lebih): 1e20"),
    ],
)  # fmt: skip
def test_reason_is_translated_as_a_whole(reason: str, translated: str) -> None:
    assert translate_reason("id", reason) == (translated, False)


@pytest.mark.parametrize(
    "reason",
    [
        "not JSON: Expecting value: line 1 column 1 (char 0)",
        'date is not a moment: "2025-02-30"; day is out of range for month',
        "something is missing without a translation",
    ],
)
def test_unknown_reason_stays_english(reason: str) -> None:
    assert translate_reason("id", reason) == (reason, True)


@pytest.mark.parametrize("rules", [CUSTOMERS, PRICES, DEPOSITS, READINGS])
def test_reason_of_every_rule_is_translated(rules: RecordRules) -> None:
    broken = [format_reason(rule.reason, [rule.column]) for rule in rules.column_rules]
    for reason in [*broken, format_reason(NOT_NULLABLE, [rules.columns[0]]), format_reason(NOT_UNIQUE, rules.unique)]:
        assert not translate_reason("id", reason).is_untranslated, reason


@pytest.mark.parametrize("english", REASONS)
def test_translation_of_a_reason_is_complete(english: str) -> None:
    translated = REASONS[english]
    placeholders = [
        {placeholder for _, placeholder, _, _ in Formatter().parse(text) if placeholder}
        for text in (english, translated)
    ]
    assert placeholders[0] == placeholders[1]
    assert not _ENGLISH_WORD.search(re.sub(r"{\w+}|year_month", "", translated))
