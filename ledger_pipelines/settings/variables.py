"""The variables of the environment and of `.env` files: their names, where they are read, and which are not ours."""

import os
import re
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

from dotenv import dotenv_values

from ledger_pipelines.settings.problems import SettingsError, instead_of

PREFIX = "LEDGER_"
"""What the name of every variable of ours begins with; the tests' own begin with `LEDGER_TEST_`."""

# Kubernetes announces a service called "ledger…" to every container by variables of these shapes.
_SERVICE_LINK = re.compile(r"_SERVICE_(HOST|PORT)|_PORT_\d+_(TCP|UDP)")


def project_folder() -> Path:
    """The folder of the project: the checkout that this package runs from, else the current folder."""
    checkout = Path(__file__).resolve().parent.parent.parent
    if (checkout / "dagster.yaml").is_file() or (checkout / "pyproject.toml").is_file():
        return checkout
    return Path.cwd()


def variable(field: str) -> str:
    """The name of the environment variable of a field: `LEDGER_HOME` for `home`."""
    return f"{PREFIX}{field.upper()}"


def unknown_variables(files: Iterable[Path], values: Mapping[str, Any], fields: Collection[str]) -> list[str]:
    """One problem for each unknown `LEDGER_…` variable of the environment, the files or the arguments."""
    given: dict[str, str | None] = {variable(name): None for name in values}
    for file in files:
        given |= _variables_of_file(file)
    given |= os.environ
    known = [variable(field) for field in fields]
    return [
        f"{name}: is no setting; {instead_of(name, known)}"
        for name, value in given.items()
        if name.upper().startswith(PREFIX) and name.upper() not in known and not _is_anothers(name, value)
    ]


def given_variables(files: Iterable[Path]) -> dict[str, str]:
    """Every variable of the files and the environment that is not empty, by its name in capitals."""
    found: dict[str, str | None] = {}
    for variables in (*map(_variables_of_file, files), os.environ):
        found |= {name.upper(): value for name, value in variables.items()}
    return {name: value for name, value in found.items() if value}


def _variables_of_file(file: Path) -> Mapping[str, str | None]:
    """The variables of a `.env` file; none if there is no such file."""
    try:
        return dotenv_values(file) if file.is_file() else {}
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text in UTF-8"
        raise SettingsError(f"The settings file {file} cannot be read: {reason}.") from None


def _is_anothers(name: str, value: str | None) -> bool:
    """Whether the variable, though called `LEDGER_…`, is the tests' or a service link of Kubernetes."""
    return (
        name.upper().startswith(f"{PREFIX}TEST_")
        or _SERVICE_LINK.search(name) is not None
        or (value or "").startswith(("tcp://", "udp://"))
    )
