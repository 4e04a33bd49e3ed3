"""Databases of a command: open them, and prepare them before it runs."""

from collections.abc import Iterator
from contextlib import contextmanager

from ledger_pipelines.serving.base.databases import Databases, prepare_databases, start_embedded
from ledger_pipelines.serving.cli.common.console import json_errors, print_message
from ledger_pipelines.settings import Settings, load_settings
from ledger_pipelines.warehouse import database_urls


@contextmanager
def open_databases(*, as_json: bool) -> Iterator[Databases]:
    """Yield the databases of a command; print an explained error as JSON if JSON is wanted, and re-raise it."""
    with json_errors(as_json=as_json), Databases(load_settings()) as databases:
        yield databases


def prepare_with_message(settings: Settings) -> None:
    """Create and upgrade the databases; start the embedded server if the settings use it.

    Raises:
        EmbeddedServerError: the embedded server cannot be started.
        WarehouseError: a database cannot be created or used, or its schema is newer than this program.
    """
    if database_urls.uses_embedded_server(settings):
        start_embedded_with_message(
            settings
        )  # first: if a later step fails, the user already knows that the server runs
    prepare_databases(settings)


def start_embedded_with_message(settings: Settings) -> None:
    """Start the embedded server and print a message if it was not running: it outlives the command.

    Raises:
        EmbeddedServerError: the server cannot be started.
    """
    if start_embedded(settings):
        print_message("The embedded server was started for this command and keeps running. To stop it: ledger db stop")
