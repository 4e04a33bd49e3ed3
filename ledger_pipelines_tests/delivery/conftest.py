"""Fixture of a receiver for the tests of deliveries."""

from collections.abc import Iterator

import pytest

from ledger_pipelines_tests.delivery.receiver import Receiver, running_receiver


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """Yield a receiver of its own."""
    with running_receiver() as made:
        yield made
