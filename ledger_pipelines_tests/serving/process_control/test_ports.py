"""Ports in use, as `ledger up` reports them before it starts anything."""

import re
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest

from ledger_pipelines.serving.base.errors import ServingError
from ledger_pipelines.serving.process_control.ports import LOOPBACK, check_ports, required_ports
from ledger_pipelines.warehouse import database_urls
from ledger_pipelines_tests.support.serving.installation import Installation

VARIABLES = ("LEDGER_UI_PORT", "LEDGER_CODE_SERVER_PORT", "LEDGER_API_PORT", "LEDGER_DB_PORT")


@contextmanager
def occupied(*ports: int) -> Iterator[None]:
    """Listen on ports, as another program does."""
    with ExitStack() as stack:
        for port in ports:
            listening = stack.enter_context(socket.socket())
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # the port may have been released just now
            listening.bind((LOOPBACK, port))
            listening.listen()
        yield


def proposals(installation: Installation) -> dict[str, int]:
    """Return the variables that `ledger up` proposes to set, each with the free number."""
    result = installation.run("up")
    assert result.exit_code == 1
    assert "Nothing was started." in result.stderr
    return {name: int(number) for name, number in re.findall(r"(LEDGER_\w+_PORT)=(\d+)", result.stderr)}


def test_all_occupied_ports_are_reported_together(installation: Installation) -> None:
    ports = [int(installation.variables[variable]) for variable in VARIABLES]
    with occupied(*ports):
        proposed = proposals(installation)
        assert set(proposed) == set(VARIABLES)
        assert not set(proposed.values()) & set(ports)
        assert len(set(proposed.values())) == len(VARIABLES)
        with occupied(*proposed.values()):
            pass
    assert not database_urls.embedded_server(installation.settings).is_running()


@pytest.mark.parametrize("variable", VARIABLES)
def test_free_ports_are_not_reported(installation: Installation, variable: str) -> None:
    with occupied(int(installation.variables[variable])):
        assert set(proposals(installation)) == {variable}


def test_port_of_two_settings_is_reported_once(installation: Installation) -> None:
    twice = installation.settings.model_copy(update={"api_port": installation.settings.ui_port})
    with pytest.raises(ServingError, match="two settings name the same port") as error:
        check_ports(twice)
    assert re.findall(r"(LEDGER_\w+_PORT)=", str(error.value)) == ["LEDGER_API_PORT"]


def test_running_database_does_not_block_its_own_port(installation: Installation) -> None:
    installation.succeed("db", "start")
    try:
        assert {port.variable for port in required_ports(installation.settings)} == set(VARIABLES) - {"LEDGER_DB_PORT"}
        check_ports(installation.settings)
    finally:
        installation.succeed("db", "stop")


def test_foreign_host_gets_no_port_proposal(installation: Installation) -> None:
    elsewhere = installation.settings.model_copy(update={"api_host": "192.0.2.1"})
    with pytest.raises(ServingError, match=r"on 192\.0\.2\.1, for the API") as error:
        check_ports(elsewhere)
    assert "LEDGER_API_PORT=" not in str(error.value)
