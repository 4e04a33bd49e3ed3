"""What a command needs before it can answer: the databases."""

from ledger_pipelines.serving.cli.console import say
from ledger_pipelines.serving.databases import prepare
from ledger_pipelines.settings import Settings


def make_ready(settings: Settings) -> None:
    """Make the databases ready, and say so where the embedded server was started for it: it outlives the command.

    Raises:
        EmbeddedServerError: the embedded server cannot be started.
        WarehouseError: a database cannot be created or used, or its schema is newer than this program.
    """
    if prepare(settings).started:
        say("The embedded server was started for this and keeps running; stop it by: ledger db stop")
