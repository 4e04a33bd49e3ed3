"""Fixtures for all tests: real servers, and pipelines with their own source and warehouse."""

import gc
import os
from collections.abc import Iterator

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, settings

from ledger_pipelines.sources.erp.connection.engine import erp_engine
from ledger_pipelines.sources.erp.reader import ErpSource
from ledger_pipelines_tests.support import servers
from ledger_pipelines_tests.support.billing_pipeline import Pipeline, new_pipeline, new_warehouse
from ledger_pipelines_tests.support.erp.erp_copy import ErpCopy, new_erp_copy
from ledger_pipelines_tests.support.processes import restore_sigint_handler
from ledger_pipelines_tests.support.webhook_receiver import Receiver, running_receiver

# Per property test: few for developers who run the tests many times a day, many more in CI (2,000 in total).
EXAMPLES = int(os.environ.get("LEDGER_TEST_EXAMPLES") or (110 if os.environ.get("CI") else 3))
# For property tests whose examples are whole histories, with a sync or a run after each change.
HISTORIES = EXAMPLES // 5 + 2

restore_sigint_handler()
settings.register_profile(
    "ledger",
    deadline=None,
    max_examples=EXAMPLES,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
    print_blob=True,
)
settings.load_profile("ledger")


def pytest_collection_finish() -> None:
    """Exclude the imported modules from garbage collection: they stay for the whole session."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def embedded_url() -> Iterator[sa.URL]:
    """URL of the maintenance database of the test process's embedded server."""
    with servers.running_embedded_server() as server:
        yield server.url("postgres")


@pytest.fixture(scope="session", params=["embedded", "machine"])
def postgres_url(request: pytest.FixtureRequest) -> sa.URL:
    """URL of each PostgreSQL server in turn: the embedded one and the machine's own."""
    if request.param == "machine":
        return servers.require_server(servers.POSTGRES, "LEDGER_TEST_POSTGRES_URL")
    url = request.getfixturevalue("embedded_url")
    assert isinstance(url, sa.URL)
    return url


@pytest.fixture(scope="session")
def mariadb_url() -> sa.URL:
    """URL of the machine's MariaDB."""
    return servers.require_server(servers.MARIADB, "LEDGER_TEST_MARIADB_URL")


@pytest.fixture(scope="module")
def empty_warehouse(embedded_url: sa.URL) -> Iterator[sa.Engine]:
    """An engine for the module's own warehouse, with empty tables."""
    with new_warehouse(embedded_url) as engine:
        yield engine


@pytest.fixture
def connection(empty_warehouse: sa.Engine) -> Iterator[sa.Connection]:
    """A transaction on the module's warehouse, rolled back after the test."""
    with empty_warehouse.connect() as connection:
        yield connection
        connection.rollback()


@pytest.fixture
def pipeline(embedded_url: sa.URL) -> Iterator[Pipeline]:
    """The test's own pipeline on the embedded server, with empty source and warehouse."""
    with new_pipeline(embedded_url, embedded_url) as created:
        yield created


@pytest.fixture(scope="module")
def shared_pipeline(embedded_url: sa.URL) -> Iterator[Pipeline]:
    """A pipeline shared by the tests of a module, which empty it themselves (`Pipeline.reset`)."""
    with new_pipeline(embedded_url, embedded_url) as created:
        yield created


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A receiver of messages."""
    with running_receiver() as made:
        yield made


@pytest.fixture(scope="module", params=["postgresql", "mariadb"])
def source_server(request: pytest.FixtureRequest, embedded_url: sa.URL) -> sa.URL:
    """URL of each kind of server of a source in turn."""
    url = embedded_url if request.param == "postgresql" else request.getfixturevalue("mariadb_url")
    assert isinstance(url, sa.URL)
    return url


@pytest.fixture(scope="module")
def erp_copy(source_server: sa.URL, embedded_url: sa.URL) -> Iterator[ErpCopy]:
    """An ERP on each kind of server and its copy, shared by a module's tests, which empty them (`ErpCopy.reset`)."""
    with new_erp_copy(source_server, embedded_url, lambda url: ErpSource(erp_engine(url))) as created:
        yield created
