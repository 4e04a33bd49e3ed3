"""The only module that imports parts of Dagster that are not public. A new version of Dagster may change any of them.

With each new version, check them (and those of the tests) again, then set `CHECKED_WITH`. Slow modules of Dagster are
imported inside functions, because every run imports this module.
"""

from types import ModuleType

from dagster._core.errors import DagsterUserCodeUnreachableError
from dagster._core.instance.ref import InstanceRef
from dagster_postgres.utils import DagsterPostgresException

__all__ = ["DagsterPostgresException", "DagsterUserCodeUnreachableError", "InstanceRef"]

#: Version of Dagster with which all of these were checked.
CHECKED_WITH = "1.13.27"
#: Dagster's daemon, for `python -m`.
DAEMON_MODULE = "dagster._daemon"
#: Overrides of an instance's configuration that leave the output of steps uncaptured.
UNCAPTURED_OUTPUT = {
    "compute_logs": {"module": "dagster._core.storage.noop_compute_log_manager", "class": "NoOpComputeLogManager"}
}


def ping_code_server(port: int) -> None:
    """Wait for an answer of the code server at a port of loopback.

    Raises:
        DagsterUserCodeUnreachableError: it does not answer.
    """
    from dagster._grpc.client import DagsterGrpcClient

    DagsterGrpcClient(host="127.0.0.1", port=port).ping("")


def webserver_cli() -> ModuleType:
    """Return the module of the web server's command, which serves its application by `uvicorn.run`."""
    from dagster_webserver import cli

    return cli
