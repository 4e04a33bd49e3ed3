"""Folder of Dagster's instance files, `dagster.yaml` and `workspace.yaml`."""

from pathlib import Path

from ledger_pipelines.settings.home import ensure_home
from ledger_pipelines.settings.variables import project_folder

_PACKAGED = Path(__file__).resolve().parent.parent / "instance"
"""Exists only in a wheel; see setup.py."""


def instance_folder(home: Path) -> Path:
    """Return the folder that holds the instance files: DAGSTER_HOME.

    In a checkout this is the project's folder. An installed wheel copies its files into LEDGER_HOME, because Dagster
    writes into the same folder and the package may be read-only.

    Args:
        home: LEDGER_HOME.

    Raises:
        SettingsError: LEDGER_HOME cannot be used.
    """
    if not _PACKAGED.is_dir():
        return project_folder()
    ensure_home(home)
    folder = home / "dagster"
    folder.mkdir(exist_ok=True)
    for packaged in _PACKAGED.glob("*.yaml"):
        copy, text = folder / packaged.name, packaged.read_text(encoding="utf-8")
        if not copy.exists() or copy.read_text(encoding="utf-8") != text:
            copy.write_text(text, encoding="utf-8")
    return folder
