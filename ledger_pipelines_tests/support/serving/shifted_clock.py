"""Installation whose processes, including PostgreSQL, have a clock that the test sets (`shifted_clock.c`)."""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx2

from ledger_pipelines.embedded_postgres.programs import account_for, programs_for
from ledger_pipelines.horizon import month_of, shift_month
from ledger_pipelines.serving.dagster.graphql import DagsterGraphql
from ledger_pipelines.serving.web.address import api_url
from ledger_pipelines.warehouse import database_urls
from ledger_pipelines_tests.support.billing_pipeline import WIB
from ledger_pipelines_tests.support.servers import require_c_compiler
from ledger_pipelines_tests.support.serving.api import bearer
from ledger_pipelines_tests.support.serving.installation import (
    INITIALIZE,
    MONTHS,
    SEED_SMALL_DEMO,
    Installation,
    temporary_installation,
)
from ledger_pipelines_tests.support.serving.running_up import RunningUp

_ENDED = {"SUCCESS", "FAILURE", "CANCELED"}
#: Seconds until the work that became due when the clock was set has begun.
_BEGUN_SECONDS = 8


class Clock:
    """Clock of all processes started with `environment`: the machine's time, shifted by the offset in a file."""

    def __init__(self, folder: Path) -> None:
        library, offset = folder / "shifted_clock.so", folder / "offset"
        options: list[str | Path] = [
            "-O2",
            "-shared",
            "-fPIC",
            "-o",
            library,
            Path(__file__).with_name("shifted_clock.c"),
            "-ldl",
        ]
        subprocess.run([require_c_compiler(), *options], check=True)
        offset.write_bytes(bytes(8))
        for file in (library, offset):
            file.chmod(0o644)
        self._file = offset.open("r+b", buffering=0)
        self._offset = 0
        self.environment = {"LD_PRELOAD": str(library), "SHIFTED_CLOCK": str(offset)}

    def set(self, moment: datetime) -> None:
        """Set the clock of all processes simultaneously."""
        self._offset = round((moment.timestamp() - time.time()) * 1e9)
        os.pwrite(self._file.fileno(), self._offset.to_bytes(8, sys.byteorder, signed=True), 0)

    def close(self) -> None:
        """Close the file of the offset."""
        self._file.close()

    def now(self) -> datetime:
        """Return the shifted time."""
        return datetime.fromtimestamp(time.time() + self._offset / 1e9, WIB)

    def reach(self, moment: datetime) -> None:
        """Wait until the clock reaches a time."""
        time.sleep(max(0.0, (moment - self.now()).total_seconds()))


class ShiftedUp(RunningUp):
    """Running `ledger up` under a shifted clock, with its interfaces.

    Attributes:
        clock: The clock of all its processes.
        token: An administrator's token.
    """

    patience = 240

    def __init__(self, installation: Installation, clock: Clock, token: str) -> None:
        super().__init__(installation)
        self.clock, self.token = clock, token
        self._client = httpx2.Client(base_url=api_url(installation.settings), timeout=60)

    def stop(self) -> int:
        """End the process and the connections to it."""
        self._client.close()
        return super().stop()

    def get(self, path: str, **parameters: str | int) -> tuple[int, Any]:
        """Return status code and JSON of a request to the API."""
        answer = self._client.get(
            f"/api/realtime-balance/{path}", headers=bearer(self.token), params=parameters or None
        )
        return answer.status_code, answer.json()

    def page(self, path: str) -> str:
        """Log in and return a page of the dashboard."""
        with httpx2.Client(base_url=api_url(self.installation.settings), timeout=60) as browser:
            form = browser.get("/login").text
            hidden = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', form))
            browser.post("/login", data=hidden | {"token": self.token})
            answer = browser.get(path)
            assert answer.status_code == 200, answer.text
            return str(answer.text)

    def command(self, *arguments: str) -> tuple[int, Any]:
        """Return the exit code and the JSON output of a command."""
        process = self.installation.spawn(*arguments, "--json", stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        out, error = process.communicate(timeout=self.patience)
        assert out, error
        return process.returncode, json.loads(out)

    def runs(self) -> list[tuple[str, str]]:
        """Return job and status of all runs."""
        query = "{ runsOrError { ... on Runs { results { jobName status } } } }"
        graphql = DagsterGraphql(f"http://127.0.0.1:{self.installation.variables['LEDGER_UI_PORT']}")
        runs: list[dict[str, str]] = graphql.query(query)["runsOrError"]["results"]
        return [(run["jobName"], run["status"]) for run in runs]

    def failures(self) -> list[dict[str, Any]]:
        """Return the failed runs with the errors of their steps."""
        query = """{ runsOrError(filter: {statuses: [FAILURE]}) { ... on Runs { results {
            jobName startTime tags { key value }
            eventConnection { events { ... on ErrorEvent { error { message causes { message } } } } }
        } } } }"""
        graphql = DagsterGraphql(f"http://127.0.0.1:{self.installation.variables['LEDGER_UI_PORT']}")
        failed: list[dict[str, Any]] = graphql.query(query)["runsOrError"]["results"]
        for run in failed:
            run["errors"] = [event["error"] for event in run.pop("eventConnection")["events"] if event]
        return failed

    def wake(self, moment: datetime) -> None:
        """Set the clock, as after a suspend; wait until the work that became due has run."""
        self.set(moment)
        time.sleep(_BEGUN_SECONDS)
        self.settle()

    def set(self, moment: datetime) -> None:
        """Set the clock while no run is in progress: Dagster measures a run's maximum runtime by the clock."""
        self.wait_until(lambda: {status for _, status in self.runs()} <= _ENDED)
        self.clock.set(moment)

    def settle(self) -> None:
        """Wait until no run is in progress, except the real-time worker, which stays until its idle timeout."""
        self.wait_until(lambda: {status for job, status in self.runs() if job != "realtime"} <= _ENDED)


@contextmanager
def running_shifted_up(moment: datetime, **variables: str) -> Iterator[ShiftedUp]:
    """Run `ledger up` on a new installation with a small computed demo, started at the given time."""
    folder = Path(tempfile.mkdtemp(prefix="ledger-clock-"))
    folder.chmod(0o755)  # PostgreSQL's OS user reads the clock too
    clock = Clock(folder)
    clock.set(moment)
    first = shift_month(month_of(moment, WIB), 1 - MONTHS)
    try:
        with temporary_installation() as made:
            variables |= clock.environment | {"LEDGER_FIRST_MONTH": first}
            shifted = Installation(made.variables | variables)
            _start_postgres(shifted, clock)
            shifted.checked_output(*SEED_SMALL_DEMO)
            shifted.checked_output(*INITIALIZE)
            answer = shifted.checked_output("token", "create", "--name", "test", "--role", "admin", "--json")
            up = ShiftedUp(shifted, clock, json.loads(answer)["token"])
            try:
                up.wait_until(lambda: up.output_contains("API") and len(up.runs()) > 0)
                yield up
            finally:
                up.stop()
    finally:
        clock.close()
        shutil.rmtree(folder)


def _start_postgres(installation: Installation, clock: Clock) -> None:
    """Start the embedded server under the clock; the product would start it with a clean environment."""
    server = database_urls.embedded_server(installation.settings)
    data = server.data_folder.resolve()
    account = account_for(data)
    environment = [f"{name}={value}" for name, value in clock.environment.items()]
    options: list[str | Path] = [
        "start",
        "-w",
        "-D",
        data,
        "-l",
        server.data_folder.parent / "logs" / "postgres" / "start.log",
    ]
    answer = account.run("env", *environment, programs_for(account) / "pg_ctl", *options)
    assert answer.returncode == 0, answer.stdout + answer.stderr
