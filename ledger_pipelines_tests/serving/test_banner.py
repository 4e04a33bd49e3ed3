"""What `ledger up` prints when it is up: every line can be copied, and every command works in another terminal."""

import subprocess
import sys
from pathlib import Path

import pytest

from ledger_pipelines.serving.cli.up import show_banner
from ledger_pipelines.settings import Settings

pytestmark = pytest.mark.usefixtures("narrow")

UI = "http://127.0.0.1:3000"


def commands(printed: str) -> list[str]:
    """The lines that are to be typed, without what is said of them."""
    _, _, below = printed.partition("In another terminal:\n")
    return [line.strip().partition("   ")[0] for line in below.splitlines() if line.strip()]


def environment_at(folder: Path) -> None:
    """Lay out what of a virtual environment a shell needs; its `ledger` prints what it is called with."""
    programs = folder / "bin"
    programs.mkdir(parents=True)
    (programs / "activate").write_text(f'PATH="{programs}:$PATH"\n')
    ledger = programs / "ledger"
    ledger.write_text('#!/bin/sh\necho "called: $*"\n')
    ledger.chmod(0o755)


def test_the_commands_work_in_another_terminal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "a folder" / ("long" * 20) / ".venv"
    environment_at(folder)
    monkeypatch.setattr(sys, "prefix", str(folder))
    show_banner(Settings(home=tmp_path / "data"), UI)
    script = "\n".join(commands(capsys.readouterr().out))
    shell = ["/bin/sh", "-euc", script]
    done = subprocess.run(shell, cwd="/", env={"PATH": "/usr/bin:/bin"}, text=True, capture_output=True, check=True)
    called = done.stdout.splitlines()
    assert len(called) == 4
    assert "called: balance test-system" in called


def test_where_nothing_has_to_be_entered_nothing_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "prefix", sys.base_prefix)
    home = tmp_path / ("long" * 20)
    show_banner(Settings(home=home), UI)
    printed = capsys.readouterr().out
    assert all(command.startswith("ledger ") for command in commands(printed))
    assert f"Logs            {home / 'logs'}\n" in printed
    assert f"Web interface   {UI}\n" in printed
