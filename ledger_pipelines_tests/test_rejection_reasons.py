"""Rejection reasons: complete in both languages, and rendered from code and parameters."""

import json
import re
from string import Formatter

import pytest

from ledger_pipelines.rejection_reasons import ReasonCode, RejectionReason

_ENGLISH_WORD = re.compile(r"\b(?:the|is|are|not|no|missing|negative|date|dated|before|after|none|given)\b")


def placeholders(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name}


@pytest.mark.parametrize("code", ReasonCode)
def test_texts_name_the_same_values_in_both_languages(code: ReasonCode) -> None:
    english, indonesian = code.value
    assert placeholders(english.text) - {"error"} == placeholders(indonesian.text), "Python's errors are English"
    assert placeholders(english.kind) == placeholders(indonesian.kind)
    assert placeholders(english.kind) <= placeholders(english.text)
    assert not _ENGLISH_WORD.search(re.sub(r"{\w+}", "", indonesian.text + indonesian.kind))


def test_kinds_are_unique() -> None:
    for language in (0, 1):
        kinds = [code.value[language].kind for code in ReasonCode]
        assert len(set(kinds)) == len(kinds)


@pytest.mark.parametrize(
    ("reason", "english", "kind", "indonesian"),
    [
        (
            RejectionReason.of(ReasonCode.NOT_A_NUMBER, column="amount", value='"{x}: 1"'),
            'amount is not a number: "{x}: 1"',
            "amount is not a number",
            'isian amount bukan angka: "{x}: 1"',
        ),
        (
            RejectionReason.of(ReasonCode.NOT_A_CUSTOMER, user=7, role="admin"),
            "user 7 is not a customer (role admin)",
            "the user is not a customer (role admin)",
            "pengguna 7 bukan pelanggan (peran admin)",
        ),
        (
            RejectionReason.of(ReasonCode.AFTER_CURRENT_MONTH, month="2025-07", current="2025-06"),
            "dated 2025-07, after the current month 2025-06: it will count once that month has begun",
            "dated after the current month",
            "bertanggal 2025-07, setelah bulan berjalan 2025-06: akan dihitung setelah bulan itu dimulai",
        ),
    ],
)
def test_reason_is_rendered(reason: RejectionReason, english: str, kind: str, indonesian: str) -> None:
    assert (str(reason), reason.kind(), reason.text("id")) == (english, kind, indonesian)
    code, params, *texts = reason.columns
    assert RejectionReason.stored(code, json.loads(params)) == reason
    assert texts == [english, kind]
