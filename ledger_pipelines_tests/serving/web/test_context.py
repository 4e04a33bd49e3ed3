"""The API's read connections: snapshots are consistent, and no read connection can write."""

import pytest
import sqlalchemy as sa
from sqlalchemy import exc

from ledger_pipelines.warehouse.ops import watermarks
from ledger_pipelines.warehouse.queries.year import year_of
from ledger_pipelines_tests.support.serving.api import Api

NAME = "test of a snapshot"


def position(connection: sa.Connection) -> str | None:
    """Return a value that another connection writes."""
    return watermarks.position_of(connection, NAME)


def write(api: Api, text: str) -> None:
    """Write and commit the value on another connection."""
    with api.warehouse.begin() as connection:
        watermarks.move(connection, NAME, text)


def test_a_snapshot_is_consistent(api: Api) -> None:
    write(api, "before")
    with api.parts.snapshot() as connection:
        assert position(connection) == "before"
        write(api, "after")
        assert position(connection) == "before"


def test_single_statements_see_committed_changes(api: Api) -> None:
    for _ in range(2):  # the second round reuses a snapshot's connection
        write(api, "before")
        with api.parts.reading() as connection:
            assert position(connection) == "before"
            write(api, "after")
            assert position(connection) == "after"
        with api.parts.snapshot() as connection:
            assert position(connection) == "after"


def test_settings_of_a_snapshot_end_with_it(api: Api) -> None:
    with api.parts.snapshot() as connection:
        year_of(connection, 2025)
        assert connection.scalar(sa.text("SHOW enable_indexscan")) == "off"
    with api.parts.reading() as connection:
        assert connection.scalar(sa.text("SHOW enable_indexscan")) == "on"


@pytest.mark.parametrize("method", ["reading", "snapshot"])
def test_read_connections_cannot_write(api: Api, method: str) -> None:
    with pytest.raises(exc.InternalError, match="read-only transaction"), getattr(api.parts, method)() as connection:
        watermarks.move(connection, NAME, "mine")
