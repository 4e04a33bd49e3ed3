"""How the API reads: a page from one moment, whatever is written meanwhile, and nothing is ever written by it."""

import pytest
import sqlalchemy as sa
from sqlalchemy import exc

from ledger_pipelines.warehouse import cursors
from ledger_pipelines.warehouse.questions.year import year_of
from ledger_pipelines_tests.serving.api.apis import Api

NAME = "test of a snapshot"


def position(connection: sa.Connection) -> str | None:
    """Something that others write."""
    return cursors.position_of(connection, NAME)


def write(api: Api, text: str) -> None:
    """Somebody writes it, and commits."""
    with api.warehouse.begin() as connection:
        cursors.move(connection, NAME, text)


def test_a_snapshot_is_of_one_moment(api: Api) -> None:
    write(api, "before")
    with api.parts.snapshot() as connection:
        assert position(connection) == "before"
        write(api, "after")
        assert position(connection) == "before"


def test_statements_that_stand_alone_see_what_is_there_now(api: Api) -> None:
    for _ in range(2):  # the second has a connection that a snapshot had before
        write(api, "before")
        with api.parts.reading() as connection:
            assert position(connection) == "before"
            write(api, "after")
            assert position(connection) == "after"
        with api.parts.snapshot() as connection:
            assert position(connection) == "after"


def test_what_is_set_for_a_snapshot_is_set_for_it_alone(api: Api) -> None:
    with api.parts.snapshot() as connection:
        year_of(connection, 2025)
        assert connection.scalar(sa.text("SHOW enable_indexscan")) == "off"
    with api.parts.reading() as connection:
        assert connection.scalar(sa.text("SHOW enable_indexscan")) == "on"


@pytest.mark.parametrize("way", ["reading", "snapshot"])
def test_who_reads_writes_nothing(api: Api, way: str) -> None:
    with pytest.raises(exc.InternalError, match="read-only transaction"), getattr(api.parts, way)() as connection:
        cursors.move(connection, NAME, "mine")
