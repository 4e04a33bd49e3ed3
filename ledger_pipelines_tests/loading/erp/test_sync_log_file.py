"""The log file of the syncs: concurrent writers, rotation."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from ledger_pipelines.loading.erp import sync_log_file
from ledger_pipelines.loading.erp.sync_log_file import append_line, sync_log_path
from ledger_pipelines.settings import Settings

LINE = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d \+0700 writer \d+ line \d+ x+")


def test_an_event_is_one_line_with_the_companys_time(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    append_line(settings, "sync 1 failed: one reason\nand another 100 %s")
    (line,) = sync_log_path(settings).read_text().splitlines()
    assert re.fullmatch(r"\S+ \S+ \+0700 sync 1 failed: one reason / and another 100 %s", line)


def test_concurrent_writers_lose_no_line_at_a_rotation(tmp_path: Path) -> None:
    program = (
        "import sys; from ledger_pipelines.loading.erp import sync_log_file; from ledger_pipelines.settings import "
        "Settings; sync_log_file._BYTES = 4000; s = Settings(home=sys.argv[1])\n"
        "for n in range(30): sync_log_file.append_line(s, f'writer {sys.argv[2]} line {n} ' + 'x' * 60)"
    )
    writers = [subprocess.Popen([sys.executable, "-c", program, str(tmp_path), str(number)]) for number in range(4)]
    assert [writer.wait(60) for writer in writers] == [0] * 4
    files = [file for file in (tmp_path / "logs").iterdir() if file.suffix != ".lock"]
    lines = [line for file in files for line in file.read_text().splitlines()]
    assert len(files) > 1
    assert all(file.stat().st_size <= 4000 for file in files)
    assert all(LINE.fullmatch(line) for line in lines)
    assert len({line.split(" ", 3)[3] for line in lines}) == len(lines) == 120


def test_old_files_are_deleted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sync_log_file, "_BYTES", 200)
    for number in range(40):
        append_line(Settings(home=tmp_path), f"sync {number} completed")
    assert len(list((tmp_path / "logs").glob("sync.log*"))) == 6


def test_a_file_that_cannot_be_written_is_only_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "logs").write_text("a file where the folder should be")
    append_line(Settings(home=tmp_path), "sync 1 completed")
    assert "sync 1 completed" in caplog.text


def test_a_failed_rotation_is_only_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sync_log_file, "_BYTES", 10)
    (tmp_path / "logs" / "sync.log.5").mkdir(parents=True)
    for name in ("sync.log", "sync.log.4"):
        (tmp_path / "logs" / name).write_text("a line that fills the file")
    append_line(Settings(home=tmp_path), "sync 1 completed")
    assert "sync 1 completed" in caplog.text


def test_a_full_disk_is_only_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "sync.log").symlink_to("/dev/full")
    append_line(Settings(home=tmp_path), "sync 1 completed")
    assert "(No space left on device); lost line: " in caplog.text
    assert "sync 1 completed" in caplog.text
