"""Fixtures of the tests of the demo: new databases on each kind of server."""

from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from ledger_pipelines_tests.support.servers import fresh_engine


@pytest.fixture
def postgres(embedded_url: sa.URL) -> Iterator[sa.Engine]:
    """Yield an engine to a new database on the embedded server."""
    with fresh_engine(embedded_url) as engine:
        yield engine


@pytest.fixture
def mariadb(mariadb_url: sa.URL) -> Iterator[sa.Engine]:
    """Yield an engine to a new database on MariaDB."""
    with fresh_engine(mariadb_url) as engine:
        yield engine


@pytest.fixture(params=["postgres", "mariadb"])
def engine(request: pytest.FixtureRequest) -> sa.Engine:
    """Return an engine to a new database on each kind of server."""
    made = request.getfixturevalue(request.param)
    assert isinstance(made, sa.Engine)
    return made
