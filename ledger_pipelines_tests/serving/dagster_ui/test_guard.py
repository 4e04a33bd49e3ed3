"""Log lines of the guard."""

import logging

import pytest
from starlette.responses import PlainTextResponse

from ledger_pipelines.serving.dagster_ui.guard import LOGGER, QUIET_SECONDS, Guard
from ledger_pipelines_tests.serving.dagster_ui.conftest import client_of, rules_of


def test_repeated_refusals_are_logged_once_per_rule_and_minute(caplog: pytest.LogCaptureFixture) -> None:
    now = 5.0
    client = client_of(Guard(PlainTextResponse("reached"), rules_of(), clock=lambda: now))
    for attempt in range(100):
        assert client.get("/", headers={"Host": f"{attempt}.evil.example"}).status_code == 403
    assert client.get("/", headers={"Origin": "null"}).status_code == 403
    assert client.get("/").text == "reached"
    now += QUIET_SECONDS
    assert client.get("/", headers={"Host": "later.evil.example"}).status_code == 403

    lines = [(record.name, record.levelno) for record in caplog.records]
    assert lines == [(LOGGER, logging.WARNING)] * 3
    for quoted, line in zip(("'0.evil.example'", "'null'", "'later.evil.example'"), caplog.messages, strict=True):
        assert quoted in line
