"""The command in a separate process, over HTTP, with an empty workspace."""

import http.client
import os
import runpy
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import pytest

from ledger_pipelines.dagster_internals import webserver_cli
from ledger_pipelines.serving.base.errors import ServingError
from ledger_pipelines.serving.dagster.graphql import DagsterGraphql
from ledger_pipelines.serving.dagster_ui import __main__ as command
from ledger_pipelines.serving.dagster_ui.guard import LOGGER
from ledger_pipelines_tests.support.servers import free_port
from ledger_pipelines_tests.support.waiting import wait_until

PATIENCE = 60
HANDSHAKE = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Protocol": "graphql-ws",
}


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[int, subprocess.Popen[str]]]:
    """Port and process of a running command."""
    port = free_port()
    arguments = ["--empty-workspace", "-h", "127.0.0.1", "-p", str(port)]
    process = subprocess.Popen(
        [sys.executable, "-m", "ledger_pipelines.serving.dagster_ui", *arguments],
        env={name: value for name, value in os.environ.items() if not name.startswith(("LEDGER_", "DAGSTER_"))},
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        wait_until(lambda: answers(port) or process.poll() is not None)
        assert process.poll() is None, process.communicate()[0]
        yield port, process
    finally:
        process.kill()
        process.communicate()


def answers(port: int) -> bool:
    """Return whether Dagster answers a query."""
    try:
        return bool(DagsterGraphql(f"http://127.0.0.1:{port}").query("{ version }"))
    except OSError:
        return False


def request(port: int, method: str, path: str, headers: dict[str, str]) -> tuple[int, str]:
    """Send a request and return its status, and the text of a refusal."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    connection.request(method, path, headers=headers)
    response = connection.getresponse()
    text = response.read().decode() if response.status == 403 else ""
    connection.close()
    return response.status, text


def test_the_command_guards_requests_and_stops_on_sigterm(
    server: tuple[int, subprocess.Popen[str]],
) -> None:
    port, process = server
    own = f"http://127.0.0.1:{port}"
    for _ in range(2):
        assert request(port, "GET", "/graphql?query=mutation%20M%20%7Ba%7D", {})[0] == 403
        assert request(port, "GET", "/graphql", {**HANDSHAKE, "Origin": "https://evil.example"})[0] == 403
    status, text = request(port, "GET", "/", {"Host": "evil.example"})
    assert status == 403
    assert text.startswith("Refused: the host 'evil.example' is neither loopback")
    assert request(port, "GET", "/graphql", {**HANDSHAKE, "Origin": own})[0] == 101
    assert request(port, "GET", "/runs", {"Sec-Fetch-Site": "none"})[0] == 200

    process.send_signal(signal.SIGTERM)
    output, _ = process.communicate(timeout=PATIENCE)
    assert "Serving dagster-webserver on" in output
    assert output.count(f" - {LOGGER} - ") == 3, output
    assert "ERROR" not in output
    assert "Traceback" not in output


def test_dagster_answers_every_query_of_the_client(server: tuple[int, subprocess.Popen[str]]) -> None:
    """No location is loaded, so there is no check, no run and no job."""
    graphql = DagsterGraphql(f"http://127.0.0.1:{server[0]}")
    assert not graphql.location_is_loaded()
    assert graphql.asset_checks() == []
    assert graphql.run_status(str(UUID(int=0))) is None
    with pytest.raises(ServingError, match="The run is refused: "):
        graphql.launch_run("billing_ledger", {"key": "value"}, {"resources": {}})
    with pytest.raises(ServingError, match=f"The run is refused: .*{UUID(int=0)}"):  # sent with status 500
        graphql.reexecute_run(str(UUID(int=0)), {"key": "value"})
    with pytest.raises(OSError, match="does not answer the query: Cannot query field 'nothing'"):  # status 400
        graphql.query("{ nothing }")


def test_a_dagster_without_uvicorn_run_does_not_start(monkeypatch: pytest.MonkeyPatch) -> None:
    cli = webserver_cli()
    monkeypatch.setattr(runpy, "run_module", lambda *_, **__: vars(cli)["uvicorn"].Server)
    with pytest.raises(AttributeError, match="Server"):
        command.main()
    monkeypatch.delattr(cli, "uvicorn")
    with pytest.raises(AttributeError, match="uvicorn"):
        command.main()
