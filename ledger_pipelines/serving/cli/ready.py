"""What a command needs before it can answer: the databases."""

from ledger_pipelines.serving.cli.console import say
from ledger_pipelines.serving.databases import prepare, start_embedded
from ledger_pipelines.settings import Settings
from ledger_pipelines.warehouse import servers


def make_ready(settings: Settings) -> None:
    """Make the databases ready; the embedded server is started if it is used.

    Raises:
        EmbeddedServerError: the embedded server cannot be started.
        WarehouseError: a database cannot be created or used, or its schema is newer than this program.
    """
    if servers.uses_embedded_server(settings):
        start_and_tell(settings)  # before anything else can fail: the server would stay, and nobody knew
    prepare(settings)


def start_and_tell(settings: Settings) -> None:
    """Start the embedded server, and say so if it was not running: it outlives the command.

    Raises:
        EmbeddedServerError: it cannot be started.
    """
    if start_embedded(settings):
        say("The embedded server was started for this and keeps running; stop it by: ledger db stop")
