"""The ports that `ledger up` listens on, all of them looked at before anything is started."""

import errno
import socket
from collections.abc import Collection
from contextlib import ExitStack
from dataclasses import dataclass

from ledger_pipelines.serving.errors import ServingError
from ledger_pipelines.settings import Settings, variable
from ledger_pipelines.warehouse import servers

LOOPBACK = "127.0.0.1"
_FIRST_OF_ANYBODY = 1024
_LAST = 65_535
#: What another number helps against.
_OF_THE_NUMBER = (errno.EADDRINUSE, errno.EACCES)


@dataclass(frozen=True)
class Port:
    """A port that is to be listened on.

    Attributes:
        what: What listens there.
        variable: The variable that sets its number.
        host: The name or address that it is listened on.
        number: Its number.
    """

    what: str
    variable: str
    host: str
    number: int


def needed(settings: Settings) -> list[Port]:
    """The ports that a start listens on; the embedded server's is among them if the server has yet to be started.

    Raises:
        EmbeddedServerError: the embedded server belongs to somebody else.
    """
    ports = [
        Port("the web interface", variable("ui_port"), settings.ui_host, settings.ui_port),
        Port("the code server", variable("code_server_port"), LOOPBACK, settings.code_server_port),
        Port("the API and the dashboard", variable("api_port"), settings.api_host, settings.api_port),
    ]
    if servers.uses_embedded_server(settings) and not servers.embedded_server(settings).is_running():
        ports.append(Port("the embedded database", variable("db_port"), LOOPBACK, settings.db_port))
    return ports


def check_ports(settings: Settings) -> None:
    """See that every port that a start needs can be listened on, all of them at the same time.

    Raises:
        ServingError: some cannot; the one message names each, its variable, and a number that is free.
        EmbeddedServerError: the embedded server belongs to somebody else.
    """
    ports = needed(settings)
    numbers = {port.number for port in ports}
    lines = []
    with ExitStack() as listening:  # each goes on while the next one is tried: settings may name one port twice
        for port in ports:
            try:
                listening.enter_context(_listening(port.host, port.number))
            except OSError as fault:
                line = f"  {port.number} on {port.host}, of {port.what}: {fault.strerror}."
                if fault.errno in _OF_THE_NUMBER and (free := _free_number(port, numbers)) is not None:
                    numbers.add(free)
                    line += f" Set {port.variable} to a free port, for example {port.variable}={free}"
                lines.append(line)
    if lines:
        which = "These ports" if len(lines) > 1 else "This port"
        told = "\n".join(lines)
        raise ServingError(
            f"{which} cannot be listened on; another program may be there (another ledger up?), or two settings name "
            f"the same port:\n{told}\nNothing was started."
        )


def _free_number(port: Port, others: Collection[int]) -> int | None:
    """The next number that is free on the port's host and none of the others; None if there is none."""
    behind = range(max(port.number + 1, _FIRST_OF_ANYBODY), _LAST + 1)
    before = range(_FIRST_OF_ANYBODY, port.number)
    candidates = (number for numbers in (behind, before) for number in numbers if number not in others)
    return next((number for number in candidates if _is_free(port.host, number)), None)


def _is_free(host: str, number: int) -> bool:
    try:
        _listening(host, number).close()
    except OSError:
        return False
    return True


def _listening(host: str, number: int) -> socket.socket:
    """A socket that listens on a port.

    Raises:
        OSError: the port cannot be listened on.
    """
    family, *_, address = socket.getaddrinfo(host, number, type=socket.SOCK_STREAM)[0]
    listening = socket.socket(family)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        listening.listen()
    except OSError:
        listening.close()
        raise
    return listening
