"""Managed process: its output is logged, and a log that cannot be written is reported once."""

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from ledger_pipelines.serving.process_control import managed_process
from ledger_pipelines.serving.process_control.managed_process import ManagedProcess
from ledger_pipelines_tests.support.serving.fake_clock import FakeClock
from ledger_pipelines_tests.support.waiting import wait_until

PROGRAM = "import sys\nfor n in range({lines}): print(f'line {{n}}')\nprint('ERROR: something', flush=True)\n"


def printing_child(log: Path, lines: int, reported: list[str], then: str = "") -> ManagedProcess:
    """Return a process that prints some lines and an error."""
    return ManagedProcess(
        name="speaker",
        command=[sys.executable, "-c", PROGRAM.format(lines=lines) + then],
        environment={},
        folder=Path("/"),
        log=log,
        report=reported.append,
    )


def test_output_is_logged_and_errors_are_reported(tmp_path: Path) -> None:
    reported: list[str] = []
    child = printing_child(tmp_path / "logs" / "speaker.log", 3, reported)
    child.start()
    child.stop()
    assert child.log.read_text().splitlines() == ["line 0", "line 1", "line 2", "ERROR: something"]
    assert reported == ["speaker: ERROR: something"]


def test_restarts_wait_longer_after_each_early_death(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = FakeClock(1000)
    reported: list[str] = []
    waits = []
    monkeypatch.setattr(managed_process, "time", SimpleNamespace(monotonic=clock))
    child = printing_child(tmp_path / "speaker.log", 0, reported)
    assert not child.should_restart(), "it was never started"
    for lived in (1, 1, 1, 1, 1, 1, 61):
        child.start()
        clock.now += lived
        child.stop()
        died = clock.now
        while not child.should_restart():
            clock.now += 1
        waits.append(clock.now - died)
    assert waits == [1, 2, 4, 8, 16, 30, 1]
    deaths = [text for text in reported if " died " in text]
    assert [f"it will be restarted in {wait:.0f} s" in text for text, wait in zip(deaths, waits, strict=True)] == [
        True
    ] * 7


def test_sensor_errors_without_reason_are_only_logged(tmp_path: Path) -> None:
    reported: list[str] = []
    lines = (
        "2026-11-27 10:19:38 +0000 - dagster.daemon.SensorDaemon - ERROR - Sensor daemon caught an error for sensor x",
        "dagster._core.errors.DagsterUserCodeProcessError: dagster._core.errors.SensorExecutionError: Error occurred",
        "2026-11-27 10:19:38 +0000 - dagster.daemon.SchedulerDaemon - ERROR - Scheduler caught an error",
    )
    child = printing_child(tmp_path / "speaker.log", 0, reported, "".join(f"print({line!r})\n" for line in lines))
    child.start()
    child.stop()
    assert child.log.read_text().splitlines() == ["ERROR: something", *lines]
    assert reported == ["speaker: ERROR: something", f"speaker: {lines[2].partition(' - ')[2]}"]


def test_errors_while_stopping_are_only_logged(tmp_path: Path) -> None:
    reported: list[str] = []
    handler = "import signal\nsignal.signal(15, lambda *_: (print('ERROR: stopped', flush=True), sys.exit()))\n"
    child = printing_child(
        tmp_path / "speaker.log", 0, reported, f"{handler}print('ready', flush=True)\nsignal.pause()"
    )
    child.start()
    wait_until(lambda: child.last_line == "ready")
    child.terminate()
    child.stop()
    assert "ERROR: stopped" in child.log.read_text()
    assert reported == ["speaker: ERROR: something"]


def test_log_on_a_full_disk_is_reported_once(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    reported: list[str] = []
    log = tmp_path / "speaker.log"
    log.symlink_to("/dev/full")
    child = printing_child(log, 500, reported)
    child.start()
    child.stop()
    assert reported == [f"{log} cannot be written: No space left on device", "speaker: ERROR: something"]
    assert capfd.readouterr() == ("", "")

    log.unlink()
    child = printing_child(log, 2, reported)
    child.start()
    child.stop()
    assert log.read_text().splitlines()[0] == "line 0"


def test_recovered_log_reports_missing_lines(tmp_path: Path) -> None:
    reported: list[str] = []
    log = tmp_path / "speaker.log"
    log.symlink_to("/dev/full")
    go = tmp_path / "go"
    wait = f"import pathlib, time\nwhile not pathlib.Path({str(go)!r}).exists(): time.sleep(0.01)\nprint('room again')"
    child = printing_child(log, 4, reported, wait)
    child.start()
    wait_until(lambda: child.last_line == "ERROR: something")
    log.unlink()
    go.touch()
    child.stop()
    assert log.read_text() == "room again\n"
    assert reported[-1] == f"{log} can be written again. Lines missing from it: 5."
