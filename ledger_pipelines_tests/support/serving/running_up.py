"""Running `ledger up`, in a separate process."""

import json
import re
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ledger_pipelines.processes import ProcessId
from ledger_pipelines.serving.dagster.graphql import DagsterGraphql
from ledger_pipelines.warehouse import database_urls
from ledger_pipelines_tests.support.serving.installation import Installation, temporary_installation
from ledger_pipelines_tests.support.waiting import wait_until


class RunningUp:
    """Running `ledger up`.

    Attributes:
        installation: The installation that it serves.
        home: Data folder of the installation.
        output: File with the output of the process.
        process: The process.
    """

    #: Seconds to wait for a condition.
    patience = 150

    def __init__(self, installation: Installation, *options: str) -> None:
        self.installation = installation
        self.home = Path(installation.variables["LEDGER_HOME"])
        self.output = self.home / "logs" / "output"
        self.output.parent.mkdir(exist_ok=True)
        with self.output.open("w") as file:
            self.process = installation.spawn(
                "up", *options, stdout=file, stderr=subprocess.STDOUT, start_new_session=True
            )

    def output_contains(self, text: str) -> bool:
        """Return whether the output contains a text."""
        return text in self.output.read_text()

    def first_token(self) -> str:
        """Return the access token that the first start prints."""
        (token,) = re.findall(r"^ledger_[0-9a-f]{12}_\S{43}$", self.output.read_text(), flags=re.MULTILINE)
        return str(token)

    def children(self) -> list[ProcessId]:
        """Return the processes of code server, web server, daemon and API."""
        return [ProcessId(**child) for child in json.loads((self.home / "up.lock").read_text())["children"]]

    def wait_until(self, condition: Callable[[], object], found: Callable[[], object] = lambda: "") -> None:
        """Wait until a condition holds; fail with what was found instead, and if the process ends before."""

        def holds() -> object:
            assert self.process.poll() is None, self.output.read_text()
            return condition()

        wait_until(holds, lambda: (found(), self.output.read_text()), seconds=self.patience)

    def wait_for_output(self, text: str) -> None:
        """Wait until the output contains a text."""
        self.wait_until(lambda: self.output_contains(text))

    def stop(self) -> int:
        """End the process as Ctrl-C does, and return its exit code."""
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(60)

    def assert_stops(self) -> None:
        """Assert that Ctrl-C ends the process and every process that it started, without an error."""
        children = self.children()
        assert self.stop() == 0, self.output.read_text()
        assert not any(child.is_alive for child in children)
        assert not database_urls.embedded_server(self.installation.settings).is_running()
        assert "Traceback" not in self.output.read_text()


@contextmanager
def running_up(installation: Installation, *options: str) -> Iterator[RunningUp]:
    """Run `ledger up` on an installation."""
    running = RunningUp(installation, *options)
    try:
        yield running
    finally:
        running.stop()


@contextmanager
def new_running_up(*options: str, durable: bool = False) -> Iterator[RunningUp]:
    """Run `ledger up` on a new installation."""
    with temporary_installation(durable=durable) as installation, running_up(installation, *options) as running:
        yield running


def run_statuses(graphql: DagsterGraphql) -> list[str]:
    """Return the statuses of all runs."""
    query = "{ runsOrError { ... on Runs { results { status } } } }"
    runs: list[dict[str, Any]] = graphql.query(query)["runsOrError"]["results"]
    return [run["status"] for run in runs]
