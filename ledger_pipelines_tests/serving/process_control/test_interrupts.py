"""Termination signals: the first one interrupts, later ones are ignored, deferred ones are not lost."""

import signal
from collections.abc import Iterator

import pytest

from ledger_pipelines.serving.process_control.interrupts import Interrupts


@pytest.fixture
def interrupts() -> Iterator[Interrupts]:
    with Interrupts() as received:
        yield received


@pytest.mark.parametrize("second", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_second_signal_interrupts_nothing(interrupts: Interrupts, second: signal.Signals) -> None:
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGHUP)
    signal.raise_signal(second)
    assert interrupts.received


def test_signals_that_arrive_together_interrupt_once(interrupts: Interrupts) -> None:
    both = {signal.SIGHUP, signal.SIGTERM}
    signal.pthread_sigmask(signal.SIG_BLOCK, both)
    for number in both:
        signal.raise_signal(number)
    with pytest.raises(KeyboardInterrupt):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, both)
    assert interrupts.received


def test_deferred_signal_interrupts_at_the_end(interrupts: Interrupts) -> None:
    steps = []

    def start() -> None:
        with interrupts.deferred():
            signal.raise_signal(signal.SIGTERM)
            steps.append("started")
            steps.append("recorded")

    with pytest.raises(KeyboardInterrupt):
        start()
    assert steps == ["started", "recorded"]
    start()  # a later signal interrupts nothing


def test_ignored_signal_interrupts_nothing(interrupts: Interrupts) -> None:
    interrupts.ignore()
    signal.raise_signal(signal.SIGINT)


def test_hangup_that_nohup_ignores_stays_ignored() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with Interrupts() as interrupts:
            signal.raise_signal(signal.SIGHUP)
            assert not interrupts.received
    finally:
        signal.signal(signal.SIGHUP, before)


def test_handlers_are_restored() -> None:
    before = signal.getsignal(signal.SIGHUP)
    with Interrupts():
        assert signal.getsignal(signal.SIGHUP) != before
    assert signal.getsignal(signal.SIGHUP) == before
