"""Ports that `ledger up` listens on; all are checked before anything is started."""

import errno
import socket
from collections.abc import Collection
from contextlib import ExitStack
from dataclasses import dataclass

from ledger_pipelines.serving.base.errors import ServingError
from ledger_pipelines.settings import Settings, variable_name
from ledger_pipelines.warehouse import database_urls

LOOPBACK = "127.0.0.1"
_FIRST_UNPRIVILEGED = 1024
_LAST = 65_535
#: Errors that another port number avoids.
_OTHER_NUMBER_HELPS = (errno.EADDRINUSE, errno.EACCES)


@dataclass(frozen=True)
class Port:
    """Port that a process listens on.

    Attributes:
        what: The process that listens.
        variable: The environment variable that sets the number.
        host: The name or address to bind.
        number: The port number.
    """

    what: str
    variable: str
    host: str
    number: int


def required_ports(settings: Settings) -> list[Port]:
    """Return the ports that a start listens on; the embedded server's port only if the server is not running yet.

    Raises:
        EmbeddedServerError: the embedded server belongs to another operating-system user.
    """
    ports = [
        Port("Dagster's web UI", variable_name("ui_port"), settings.ui_host, settings.ui_port),
        Port("the code server", variable_name("code_server_port"), LOOPBACK, settings.code_server_port),
        Port("the API and the dashboard", variable_name("api_port"), settings.api_host, settings.api_port),
    ]
    if database_urls.uses_embedded_server(settings) and not database_urls.embedded_server(settings).is_running():
        ports.append(Port("the embedded server", variable_name("db_port"), LOOPBACK, settings.db_port))
    return ports


def check_ports(settings: Settings) -> None:
    """Check that all ports of a start can be bound at the same time.

    Raises:
        ServingError: some cannot; the message names each port, its variable, and a free number.
        EmbeddedServerError: the embedded server belongs to another operating-system user.
    """
    ports = required_ports(settings)
    numbers = {port.number for port in ports}
    lines = []
    with ExitStack() as listening:  # all stay bound until the end: two settings may name the same port
        for port in ports:
            try:
                listening.enter_context(_listening(port.host, port.number))
            except OSError as fault:
                line = f"  {port.number} on {port.host}, for {port.what}: {fault.strerror}."
                if fault.errno in _OTHER_NUMBER_HELPS and (free := _free_number(port, numbers)) is not None:
                    numbers.add(free)
                    line += f" Set {port.variable} to a free port, for example {port.variable}={free}"
                lines.append(line)
    if lines:
        subject = "These ports" if len(lines) > 1 else "This port"
        details = "\n".join(lines)
        raise ServingError(
            f"{subject} cannot be used. Another program may use the port (another ledger up?), or two settings name "
            f"the same port:\n{details}\nNothing was started."
        )


def _free_number(port: Port, others: Collection[int]) -> int | None:
    """Return the next free number on the port's host that is not among the others, or None."""
    above = range(max(port.number + 1, _FIRST_UNPRIVILEGED), _LAST + 1)
    below = range(_FIRST_UNPRIVILEGED, port.number)
    candidates = (number for numbers in (above, below) for number in numbers if number not in others)
    return next((number for number in candidates if _is_free(port.host, number)), None)


def _is_free(host: str, number: int) -> bool:
    try:
        _listening(host, number).close()
    except OSError:
        return False
    return True


def _listening(host: str, number: int) -> socket.socket:
    """Return a socket that listens on a port.

    Raises:
        OSError: the port cannot be bound.
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
