"""Fixtures of the tests of assets: a code location over its own databases and an ephemeral Dagster instance."""

from collections.abc import Iterator

import dagster as dg
import pytest
import sqlalchemy as sa

from ledger_pipelines_tests.support.billing_pipeline import new_pipeline
from ledger_pipelines_tests.support.code_location import CodeLocation


@pytest.fixture(scope="module")
def location(embedded_url: sa.URL) -> Iterator[CodeLocation]:
    """Yield a code location over two databases of its own, with an ephemeral instance."""
    with new_pipeline(embedded_url, embedded_url) as pipeline, dg.DagsterInstance.ephemeral() as instance:
        made = CodeLocation(pipeline, instance)
        yield made
        made.databases.warehouse.dispose()
        made.databases.billing.dispose()
