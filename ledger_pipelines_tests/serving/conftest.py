"""Fixtures: installations for the commands, and an API on the small computed demo."""

from collections.abc import Iterator

import pytest

from ledger_pipelines.serving.cli.common import console
from ledger_pipelines_tests.support.serving.api import ApiUnderTest, running_api
from ledger_pipelines_tests.support.serving.installation import (
    INITIALIZE,
    NARROW,
    SEED_SMALL_DEMO,
    Installation,
    temporary_installation,
)


@pytest.fixture(scope="module")
def installation() -> Iterator[Installation]:
    """An installation where no process runs yet."""
    with temporary_installation() as made:
        yield made


@pytest.fixture
def narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal of 80 columns, which is narrow for a table."""
    monkeypatch.setattr(console.out, "width", NARROW)


@pytest.fixture(scope="session")
def computed() -> Iterator[Installation]:
    """An installation with a small computed demo; tests leave it unchanged."""
    with temporary_installation() as made:
        for command in (SEED_SMALL_DEMO, INITIALIZE):
            made.succeed(*command)
        yield made


@pytest.fixture(scope="module")
def api(computed: Installation) -> Iterator[ApiUnderTest]:
    """API for the tests of a module, with its own tokens."""
    with running_api(computed.settings) as api_under_test:
        yield api_under_test
