"""Folder of Dagster's instance files: the top of a checkout, or LEDGER_HOME for an installed wheel."""

from pathlib import Path

import pytest

from ledger_pipelines.settings import instance, instance_folder, project_folder

NAMES = ["dagster.yaml", "workspace.yaml"]


def test_checkout_has_them_at_its_top(tmp_path: Path) -> None:
    assert instance_folder(tmp_path) == project_folder()
    assert all((project_folder() / name).is_file() for name in NAMES)


def test_wheel_copies_them_into_the_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    packaged, home = tmp_path / "instance", tmp_path / "home"
    packaged.mkdir()
    monkeypatch.setattr(instance, "_PACKAGED", packaged)
    for version in ("old", "new"):
        for name in NAMES:
            (packaged / name).write_text(f"# {version} {name}")
        folder = instance_folder(home)
        assert sorted(file.name for file in folder.iterdir()) == NAMES
        assert [(folder / name).read_text() for name in NAMES] == [f"# {version} {name}" for name in NAMES]
