"""Banner of `ledger up`: every line can be copied, and every command works in another terminal."""

import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import SecretStr

from ledger_pipelines.serving.base.databases import Databases
from ledger_pipelines.serving.cli import up
from ledger_pipelines.serving.cli.up import show_banner
from ledger_pipelines.settings import Settings

pytestmark = pytest.mark.usefixtures("narrow")

UI = "http://127.0.0.1:3000"
UNREACHABLE = SecretStr("mysql+pymysql://reader:hush@127.0.0.1:1/billing")


def commands(printed: str) -> list[str]:
    """Return the commands of the banner, without their descriptions."""
    _, _, below = printed.partition("In another terminal:\n")
    return [line.strip().partition("   ")[0] for line in below.splitlines() if line.strip()]


def create_environment(folder: Path) -> None:
    """Create a minimal virtual environment whose `ledger` prints its arguments."""
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
    create_environment(folder)
    monkeypatch.setattr(sys, "prefix", str(folder))
    show_banner(Settings(home=tmp_path / "data"), UI, computed=True)
    script = "\n".join(commands(capsys.readouterr().out))
    shell = ["/bin/sh", "-euc", script]
    done = subprocess.run(shell, cwd="/", env={"PATH": "/usr/bin:/bin"}, text=True, capture_output=True, check=True)
    called = done.stdout.splitlines()
    assert len(called) == 4
    assert "called: balance test-system" in called


def test_no_activation_outside_a_virtual_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "prefix", sys.base_prefix)
    home = tmp_path / ("long" * 20)
    show_banner(Settings(home=home), UI, computed=False)
    printed = capsys.readouterr().out
    assert [command.partition(" ")[0] for command in commands(printed)] == ["ledger"] * 4
    assert f"Logs            {home / 'logs'}\n" in printed
    assert f"Dagster         {UI}\n" in printed


@pytest.mark.parametrize(
    ("billing", "computed", "expected"),
    [
        (None, False, ["ledger balance test-system", "ledger balance sync --all"]),
        (None, True, ["ledger balance test-system", "ledger balance sync --all"]),
        (UNREACHABLE, False, ["ledger billing test-connection", "ledger balance initialize --all"]),
        (UNREACHABLE, True, ["ledger balance test-system", "ledger balance compare"]),
    ],
)
def test_next_commands_are_in_order(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    billing: SecretStr | None,
    computed: bool,
    expected: list[str],
) -> None:
    monkeypatch.setattr(sys, "prefix", sys.base_prefix)
    show_banner(Settings(home=tmp_path, billing_url=billing), UI, computed=computed)
    printed = capsys.readouterr().out
    typed = [command.partition("  ")[0] for command in commands(printed)]
    assert typed[:2] == expected
    assert ("ledger balance initialize --all" in typed) == (billing is not None and not computed)
    assert ("Nothing has been computed yet" in printed) == (billing is not None and not computed)


def test_sources_are_shown_without_passwords(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    show_banner(Settings(home=tmp_path), UI, computed=False)
    demo = capsys.readouterr().out
    assert "Billing         demo\n" in demo
    assert "ERP             demo\n" in demo
    show_banner(Settings(home=tmp_path, billing_url=UNREACHABLE), UI, computed=False)
    own = capsys.readouterr().out
    assert "Billing         mysql+pymysql://reader:***@127.0.0.1:1/billing\n" in own
    assert "ERP             none (LEDGER_ERP_URL is not set)\n" in own
    assert "demo" not in own


@pytest.mark.parametrize("computed", [True, False])
def test_unreadable_billing_application_is_reported_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], computed: bool
) -> None:
    with Databases(Settings(home=tmp_path, billing_url=UNREACHABLE)) as databases:
        up._warn_of_billing(databases, computed=computed)
    (warning,) = capsys.readouterr().err.splitlines()
    assert warning.startswith("The billing database mysql+pymysql://reader:***@127.0.0.1:1/billing cannot be read: ")
    assert warning.endswith("To find out what to change: ledger billing test-connection")
    assert ("The figures in the warehouse can be read" in warning) == computed
