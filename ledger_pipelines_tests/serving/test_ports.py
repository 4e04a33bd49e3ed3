"""Ports that are taken, as `ledger up` tells of them before it starts anything."""

import re
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest

from ledger_pipelines.serving.errors import ServingError
from ledger_pipelines.serving.ports import LOOPBACK, check_ports, needed
from ledger_pipelines.warehouse import servers
from ledger_pipelines_tests.serving.conftest import Installation

VARIABLES = ("LEDGER_UI_PORT", "LEDGER_CODE_SERVER_PORT", "LEDGER_API_PORT", "LEDGER_DB_PORT")


@contextmanager
def taken(*ports: int) -> Iterator[None]:
    """Another program listens on ports."""
    with ExitStack() as stack:
        for port in ports:
            listening = stack.enter_context(socket.socket())
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # whoever was there has just left
            listening.bind((LOOPBACK, port))
            listening.listen()
        yield


def told(installation: Installation) -> dict[str, int]:
    """The variables that `ledger up` wants to be set, each with the number that it proposes."""
    result = installation.run("up")
    assert result.exit_code == 1
    assert "Nothing was started." in result.stderr
    return {name: int(number) for name, number in re.findall(r"(LEDGER_\w+_PORT)=(\d+)", result.stderr)}


def test_all_that_are_taken_are_named_at_once(installation: Installation) -> None:
    ports = [int(installation.variables[variable]) for variable in VARIABLES]
    with taken(*ports):
        proposed = told(installation)
        assert set(proposed) == set(VARIABLES)
        assert not set(proposed.values()) & set(ports)
        assert len(set(proposed.values())) == len(VARIABLES)
        with taken(*proposed.values()):
            pass
    assert not servers.embedded_server(installation.settings).is_running()


@pytest.mark.parametrize("variable", VARIABLES)
def test_what_is_free_is_not_named(installation: Installation, variable: str) -> None:
    with taken(int(installation.variables[variable])):
        assert set(told(installation)) == {variable}


def test_a_port_that_two_settings_name_is_told_of_one(installation: Installation) -> None:
    twice = installation.settings.model_copy(update={"api_port": installation.settings.ui_port})
    with pytest.raises(ServingError, match="two settings name the same port") as error:
        check_ports(twice)
    assert re.findall(r"(LEDGER_\w+_PORT)=", str(error.value)) == ["LEDGER_API_PORT"]


def test_a_database_that_runs_is_not_in_its_own_way(installation: Installation) -> None:
    assert installation.run("db", "start").exit_code == 0
    try:
        assert {port.variable for port in needed(installation.settings)} == set(VARIABLES) - {"LEDGER_DB_PORT"}
        check_ports(installation.settings)
    finally:
        assert installation.run("db", "stop").exit_code == 0


def test_a_host_that_is_not_this_machine_is_no_matter_of_the_number(installation: Installation) -> None:
    elsewhere = installation.settings.model_copy(update={"api_host": "192.0.2.1"})
    with pytest.raises(ServingError, match=r"on 192\.0\.2\.1, of the API") as error:
        check_ports(elsewhere)
    assert "LEDGER_API_PORT=" not in str(error.value)
