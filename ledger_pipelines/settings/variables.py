"""Variables of the environment and of `.env` files: their names, their sources, and foreign variables to ignore."""

import os
import re
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

from dotenv import dotenv_values

from ledger_pipelines.settings.problems import SettingsError, suggest_name

PREFIX = "LEDGER_"
"""Prefix of all variables of the project; those of its tests begin with `LEDGER_TEST_`."""

# Kubernetes announces a service called "ledger…" to every container with variables of these forms.
_SERVICE_LINK = re.compile(r"_SERVICE_(HOST|PORT)|_PORT_\d+_(TCP|UDP)")


def project_folder() -> Path:
    """Return the folder of the checkout that this package runs from, or else the current folder."""
    checkout = Path(__file__).resolve().parent.parent.parent
    if (checkout / "dagster.yaml").is_file() or (checkout / "pyproject.toml").is_file():
        return checkout
    return Path.cwd()


def variable_name(field: str) -> str:
    """Return the name of the environment variable of a field: `LEDGER_HOME` for `home`."""
    return f"{PREFIX}{field.upper()}"


def unknown_variables(files: Iterable[Path], values: Mapping[str, Any], fields: Collection[str]) -> list[str]:
    """Return one problem for each unknown `LEDGER_…` variable of the environment, the files or the arguments."""
    given: dict[str, str | None] = {variable_name(name): None for name in values}
    for file in files:
        given |= _variables_of_file(file)
    given |= os.environ
    known = [variable_name(field) for field in fields]
    return [
        f"{name}: is not a setting; {suggest_name(name, known)}"
        for name, value in given.items()
        if name.upper().startswith(PREFIX) and name.upper() not in known and not _is_foreign(name, value)
    ]


def non_empty_variables(files: Iterable[Path]) -> dict[str, str]:
    """Return all non-empty variables of the files and the environment, by upper-case name."""
    found: dict[str, str | None] = {}
    for variables in (*map(_variables_of_file, files), os.environ):
        found |= {name.upper(): value for name, value in variables.items()}
    return {name: value for name, value in found.items() if value}


def _variables_of_file(file: Path) -> Mapping[str, str | None]:
    """Return the variables of a `.env` file; none if the file does not exist."""
    try:
        return dotenv_values(file) if file.is_file() else {}
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise SettingsError(f"The settings file {file} cannot be read: {reason}.") from None


def _is_foreign(name: str, value: str | None) -> bool:
    """Return whether a `LEDGER_…` variable belongs to the tests or is a service link of Kubernetes."""
    return (
        name.upper().startswith(f"{PREFIX}TEST_")
        or _SERVICE_LINK.search(name) is not None
        or (value or "").startswith(("tcp://", "udp://"))
    )
