"""Fixtures of the tests of the assets: a pipeline whose runs are Dagster's, on an instance of their own."""

from collections.abc import Iterator

import dagster as dg
import pytest
import sqlalchemy as sa

from ledger_pipelines_tests.assets.runs import Location
from ledger_pipelines_tests.pipeline import new_pipeline


@pytest.fixture(scope="module")
def location(embedded_url: sa.URL) -> Iterator[Location]:
    """The definitions of a code location over two databases of its own, and an ephemeral instance."""
    with new_pipeline(embedded_url, embedded_url) as pipeline, dg.DagsterInstance.ephemeral() as instance:
        made = Location(pipeline, instance)
        yield made
        made.databases.warehouse.dispose()
        made.databases.billing.dispose()
