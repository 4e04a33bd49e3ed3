"""`python -m ledger_pipelines.serving.dagster_ui`: run `python -m dagster_webserver` with its options behind the guard.

Dagster's command takes no middleware. It serves its application by `uvicorn.run`, which is replaced as its only use of
uvicorn: a version of Dagster that serves in another way fails to start instead of starting unguarded.
"""

import runpy
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import uvicorn
from starlette.types import ASGIApp

from ledger_pipelines.dagster_internals import webserver_cli
from ledger_pipelines.serving.dagster_ui.guard import Guard
from ledger_pipelines.serving.dagster_ui.rules import AccessRules
from ledger_pipelines.settings import load_settings


def main() -> None:
    """Run Dagster's command until a signal ends it."""
    rules = AccessRules.of(load_settings())

    def run(app: ASGIApp, **options: Any) -> None:
        uvicorn.run(Guard(app, rules), **options)

    # patch raises if the name does not exist, so a command that does not use uvicorn does not start either.
    with patch.object(webserver_cli(), "uvicorn", SimpleNamespace(run=run)):
        runpy.run_module("dagster_webserver", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
