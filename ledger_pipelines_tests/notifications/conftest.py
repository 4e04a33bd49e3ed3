"""Fixture of a receiver for the tests of deliveries."""

from collections.abc import Iterator

import pytest

from ledger_pipelines_tests.support.webhook_receiver import Receiver, running_receiver


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """Yield a receiver of its own."""
    with running_receiver() as made:
        yield made
