"""A child process: its output is logged, and a log that cannot be written is reported once."""

import sys
import time
from pathlib import Path

import pytest

from ledger_pipelines.serving.child import Child

SPEAKER = "import sys\nfor n in range({lines}): print(f'line {{n}}')\nprint('ERROR: something', flush=True)\n"


def speaking_child(log: Path, lines: int, told: list[str], then: str = "") -> Child:
    """A child that prints some lines and a fault."""
    return Child(
        name="speaker",
        command=[sys.executable, "-c", SPEAKER.format(lines=lines) + then],
        environment={},
        folder=Path("/"),
        log=log,
        tell=told.append,
    )


def test_output_is_logged_and_faults_are_reported(tmp_path: Path) -> None:
    told: list[str] = []
    child = speaking_child(tmp_path / "logs" / "speaker.log", 3, told)
    child.start()
    child.stop()
    assert child.log.read_text().splitlines() == ["line 0", "line 1", "line 2", "ERROR: something"]
    assert told == ["speaker: ERROR: something"]


def test_what_a_failing_sensor_logs_without_its_reason_is_not_told(tmp_path: Path) -> None:
    told: list[str] = []
    lines = (
        "2026-11-27 10:19:38 +0000 - dagster.daemon.SensorDaemon - ERROR - Sensor daemon caught an error for sensor x",
        "dagster._core.errors.DagsterUserCodeProcessError: dagster._core.errors.SensorExecutionError: Error occurred",
        "2026-11-27 10:19:38 +0000 - dagster.daemon.SchedulerDaemon - ERROR - Scheduler caught an error",
    )
    child = speaking_child(tmp_path / "speaker.log", 0, told, "".join(f"print({line!r})\n" for line in lines))
    child.start()
    child.stop()
    assert child.log.read_text().splitlines() == ["ERROR: something", *lines]
    assert told == ["speaker: ERROR: something", f"speaker: {lines[2].partition(' - ')[2]}"]


def test_faults_of_a_child_that_is_stopped_are_only_logged(tmp_path: Path) -> None:
    told: list[str] = []
    obedient = "import signal\nsignal.signal(15, lambda *_: (print('ERROR: stopped', flush=True), sys.exit()))\n"
    child = speaking_child(tmp_path / "speaker.log", 0, told, f"{obedient}print('ready', flush=True)\nsignal.pause()")
    child.start()
    while child.last_line != "ready":
        time.sleep(0.01)
    child.ask_to_stop()
    child.stop()
    assert "ERROR: stopped" in child.log.read_text()
    assert told == ["speaker: ERROR: something"]


def test_log_on_a_full_disk_is_reported_once(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    told: list[str] = []
    log = tmp_path / "speaker.log"
    log.symlink_to("/dev/full")
    child = speaking_child(log, 500, told)
    child.start()
    child.stop()
    assert told == [f"{log} cannot be written: No space left on device", "speaker: ERROR: something"]
    assert capfd.readouterr() == ("", "")

    log.unlink()
    child = speaking_child(log, 2, told)
    child.start()
    child.stop()
    assert log.read_text().splitlines()[0] == "line 0"


def test_log_that_can_be_written_again_says_what_it_lacks(tmp_path: Path) -> None:
    told: list[str] = []
    log = tmp_path / "speaker.log"
    log.symlink_to("/dev/full")
    go = tmp_path / "go"
    wait = f"import pathlib, time\nwhile not pathlib.Path({str(go)!r}).exists(): time.sleep(0.01)\nprint('room again')"
    child = speaking_child(log, 4, told, wait)
    child.start()
    while child.last_line != "ERROR: something":
        time.sleep(0.01)
    log.unlink()
    go.touch()
    child.stop()
    assert log.read_text() == "room again\n"
    assert told[-1] == f"{log} can be written again. It lacks 5 lines."
