"""Texts of errors for messages."""

import pytest

from ledger_pipelines.errors import first_line


@pytest.mark.parametrize(
    ("text", "shown"), [("lost\nHINT: wait", "lost"), ("\n refused ", "refused"), ("", "OSError"), (" \n", "OSError")]
)
def test_first_line_of_an_empty_text_is_the_class(text: str, shown: str) -> None:
    assert first_line(OSError(text)) == shown
