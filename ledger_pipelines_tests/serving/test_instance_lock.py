"""The lock of a data folder: who holds it, and what a process that was killed left behind."""

import json
import signal
import stat
import subprocess
from pathlib import Path
from threading import Thread

import pytest

from ledger_pipelines.processes import process_of
from ledger_pipelines.serving import instance_lock
from ledger_pipelines.serving.instance_lock import anybody_serves, only_one


def test_what_a_killed_predecessor_left_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # On a busy machine it may take longer than usual to obey; it must never need more than to be asked.
    monkeypatch.setattr(instance_lock, "_KILL_SECONDS", 60.0)
    left = subprocess.Popen(["sleep", "600"], start_new_session=True)
    identity = process_of(left.pid)
    assert identity is not None
    (tmp_path / "up.lock").write_text(
        json.dumps({"pid": 1, "children": [{"pid": left.pid, "started": identity.started}]})
    )
    reaper = Thread(target=left.wait)  # else it would stay as a zombie: this process is its parent
    reaper.start()
    with only_one(tmp_path):
        reaper.join(10)
        assert left.returncode == -signal.SIGTERM


def test_a_process_that_only_has_the_id_of_one_left_is_not_ended(tmp_path: Path) -> None:
    other = subprocess.Popen(["sleep", "600"], start_new_session=True)
    (tmp_path / "up.lock").write_text(json.dumps({"pid": 1, "children": [{"pid": other.pid, "started": "earlier"}]}))
    try:
        with only_one(tmp_path):
            assert other.poll() is None
    finally:
        other.kill()
        other.wait()


def test_processes_that_still_run_stay_noted(tmp_path: Path) -> None:
    child = subprocess.Popen(["sleep", "600"], start_new_session=True)
    try:
        with only_one(tmp_path) as lock:
            lock.note([process_of(child.pid)])
        assert anybody_serves(tmp_path)
    finally:
        child.kill()
        child.wait()
    assert not anybody_serves(tmp_path)


def test_nothing_stays_noted_when_everything_has_ended(tmp_path: Path) -> None:
    with only_one(tmp_path) as lock:
        lock.note([])
    assert (tmp_path / "up.lock").read_text() == ""


def test_a_database_that_still_runs_stays_noted(tmp_path: Path) -> None:
    with only_one(tmp_path) as lock:
        lock.owns_database = True
        lock.note([])
    with only_one(tmp_path) as lock:
        assert lock.owns_database


def test_the_folder_is_its_owner_s_alone(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir(0o755)
    with only_one(home):
        assert stat.S_IMODE(home.stat().st_mode) == 0o700
