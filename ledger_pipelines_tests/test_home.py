"""LEDGER_HOME: accessible to its owner only, with one error message if it cannot be used."""

import os
import stat
from pathlib import Path

import pytest

from ledger_pipelines.settings import Settings, SettingsError, allow_group_traversal, ensure_home

ROOT_ONLY = pytest.mark.skipif(os.geteuid() != 0, reason="only root can change the owner of folders")
OTHER_USER = 65534


def mode_of(folder: Path) -> int:
    """Return the permissions of a folder."""
    return stat.S_IMODE(folder.stat().st_mode)


def test_home_is_made_private(tmp_path: Path) -> None:
    ensure_home(tmp_path / "new" / "home")
    assert mode_of(tmp_path / "new" / "home") == 0o700


@pytest.mark.parametrize("mode", [0o755, 0o777, 0o775, 0o500])
def test_home_becomes_private(tmp_path: Path, mode: int) -> None:
    home = tmp_path / "home"
    (home / "logs").mkdir(parents=True)
    home.chmod(mode)
    ensure_home(home)
    assert mode_of(home) == 0o700


@ROOT_ONLY
def test_group_of_the_server_may_only_traverse(tmp_path: Path) -> None:
    home = tmp_path / "home"
    ensure_home(home)
    allow_group_traversal(home, OTHER_USER)
    assert (mode_of(home), home.stat().st_gid) == (0o710, OTHER_USER)
    ensure_home(home)
    assert mode_of(home) == 0o710


@pytest.mark.parametrize(("name", "mode"), [("letters", 0o755), ("up.lock", 0o1777), ("up.lock", 0o2755)])
def test_folder_that_holds_other_things_keeps_its_mode(tmp_path: Path, name: str, mode: int) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / name).touch()
    home.chmod(mode)
    ensure_home(home)
    allow_group_traversal(home, OTHER_USER)
    assert mode_of(home) == mode
    assert home.stat().st_gid != OTHER_USER


@ROOT_ONLY
def test_home_of_another_user_is_not_changed(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir(0o755)
    os.chown(home, OTHER_USER, OTHER_USER)
    ensure_home(home)
    allow_group_traversal(home, 0)
    assert (mode_of(home), home.stat().st_gid) == (0o755, OTHER_USER)


@pytest.mark.parametrize(("place", "reason"), [("file/home", "Not a directory"), ("gone", "No such file or directory")])
def test_unusable_home_is_one_message(tmp_path: Path, place: str, reason: str) -> None:
    (tmp_path / "file").touch()
    home = Path("/proc/none") if place == "gone" else tmp_path / place
    with pytest.raises(SettingsError) as raised:
        ensure_home(home)
    assert str(raised.value) == (
        f"LEDGER_HOME={home} cannot be used: {reason}. Set it to a folder that this user may write to."
    )


@pytest.mark.parametrize(("home", "reason"), [("x" * 300, "File name too long"), ("~no-such-user/x", "home")])
def test_home_that_is_not_a_path_is_a_wrong_setting(home: str, reason: str) -> None:
    with pytest.raises(SettingsError, match=rf"LEDGER_HOME: .*cannot be a folder: .*{reason}"):
        Settings(home=home)
