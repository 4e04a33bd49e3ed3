"""The lock of a data folder, and the cleanup of processes that a killed `ledger up` left running."""

import json
import signal
import stat
import subprocess
from pathlib import Path
from threading import Thread

import pytest

from ledger_pipelines.processes import process_with_pid
from ledger_pipelines.serving.process_control import instance_lock
from ledger_pipelines.serving.process_control.instance_lock import hold_instance_lock, is_serving


def test_orphans_of_a_killed_predecessor_are_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # On a busy machine the process may end late; SIGTERM alone must suffice.
    monkeypatch.setattr(instance_lock, "_KILL_SECONDS", 60.0)
    orphan = subprocess.Popen(["sleep", "600"], start_new_session=True)
    identity = process_with_pid(orphan.pid)
    assert identity is not None
    (tmp_path / "up.lock").write_text(
        json.dumps({"pid": 1, "children": [{"pid": orphan.pid, "started": identity.started}]})
    )
    reaper = Thread(target=orphan.wait)  # otherwise the process would stay a zombie of its parent, this process
    reaper.start()
    with hold_instance_lock(tmp_path):
        reaper.join(10)
        assert orphan.returncode == -signal.SIGTERM


def test_process_with_a_reused_pid_is_not_ended(tmp_path: Path) -> None:
    other = subprocess.Popen(["sleep", "600"], start_new_session=True)
    (tmp_path / "up.lock").write_text(json.dumps({"pid": 1, "children": [{"pid": other.pid, "started": "earlier"}]}))
    try:
        with hold_instance_lock(tmp_path):
            assert other.poll() is None
    finally:
        other.kill()
        other.wait()


def test_running_processes_stay_recorded(tmp_path: Path) -> None:
    child = subprocess.Popen(["sleep", "600"], start_new_session=True)
    try:
        with hold_instance_lock(tmp_path) as lock:
            lock.record([process_with_pid(child.pid)])
        assert is_serving(tmp_path)
    finally:
        child.kill()
        child.wait()
    assert not is_serving(tmp_path)


def test_lock_file_is_empty_when_everything_has_ended(tmp_path: Path) -> None:
    with hold_instance_lock(tmp_path) as lock:
        lock.record([])
    assert (tmp_path / "up.lock").read_text() == ""


def test_running_database_stays_recorded(tmp_path: Path) -> None:
    with hold_instance_lock(tmp_path) as lock:
        lock.owns_database = True
        lock.record([])
    with hold_instance_lock(tmp_path) as lock:
        assert lock.owns_database


def test_data_folder_is_private(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir(0o755)
    with hold_instance_lock(home):
        assert stat.S_IMODE(home.stat().st_mode) == 0o700
