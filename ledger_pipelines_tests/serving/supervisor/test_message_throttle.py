"""Messages on the terminal: each at most once a minute, a full disk in one sentence."""

import time

import pytest

from ledger_pipelines.serving.supervisor.message_throttle import DISK_FULL, MessageThrottle


def test_message_is_printed_once_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    reported: list[str] = []
    announce = MessageThrottle(reported.append)
    clock = [0.0, 1.0, 58.0, 59.0, 61.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock.pop(0))
    for message in ("daemon: ERROR one", "daemon: ERROR two") * 2:
        announce(message)
    assert reported == ["daemon: ERROR one", "daemon: ERROR two"]
    announce("daemon: ERROR one")
    assert reported[2:] == ["daemon: ERROR one"]


def test_full_disk_is_one_sentence() -> None:
    reported: list[str] = []
    announce = MessageThrottle(reported.append)
    announce("daemon: ERROR could not extend file: No space left on device")
    announce("logs/api.log cannot be written: No space left on device")
    announce("daemon: ERROR something else")
    assert reported == [DISK_FULL, "daemon: ERROR something else"]
