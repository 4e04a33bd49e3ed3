"""The API's read connections: snapshots are consistent, and no read connection can write."""

import pytest
import sqlalchemy as sa
from sqlalchemy import exc

from ledger_pipelines.warehouse.ops import watermarks
from ledger_pipelines.warehouse.queries.year import year_report
from ledger_pipelines_tests.support.serving.api import ApiUnderTest

NAME = "test of a snapshot"


def position(connection: sa.Connection) -> str | None:
    """Return a value that another connection writes."""
    return watermarks.get_watermark(connection, NAME)


def write(api: ApiUnderTest, text: str) -> None:
    """Write and commit the value on another connection."""
    with api.warehouse.begin() as connection:
        watermarks.set_watermark(connection, NAME, text)


def test_a_snapshot_is_consistent(api: ApiUnderTest) -> None:
    write(api, "before")
    with api.context.snapshot() as connection:
        assert position(connection) == "before"
        write(api, "after")
        assert position(connection) == "before"


def test_single_statements_see_committed_changes(api: ApiUnderTest) -> None:
    for _ in range(2):  # the second round reuses a snapshot's connection
        write(api, "before")
        with api.context.read_connection() as connection:
            assert position(connection) == "before"
            write(api, "after")
            assert position(connection) == "after"
        with api.context.snapshot() as connection:
            assert position(connection) == "after"


def test_settings_of_a_snapshot_end_with_it(api: ApiUnderTest) -> None:
    with api.context.snapshot() as connection:
        year_report(connection, 2025)
        assert connection.scalar(sa.text("SHOW enable_indexscan")) == "off"
    with api.context.read_connection() as connection:
        assert connection.scalar(sa.text("SHOW enable_indexscan")) == "on"


@pytest.mark.parametrize("method", ["read_connection", "snapshot"])
def test_read_connections_cannot_write(api: ApiUnderTest, method: str) -> None:
    with pytest.raises(exc.InternalError, match="read-only transaction"), getattr(api.context, method)() as connection:
        watermarks.set_watermark(connection, NAME, "mine")
