"""Tokens: found by their public part, accepted for their secret alone, until they are expired or revoked."""

import pytest
import sqlalchemy as sa

from ledger_pipelines.serving.access import tokens
from ledger_pipelines.serving.access.auditing import audited
from ledger_pipelines.serving.access.tokens import Caller, TokenRefusedError
from ledger_pipelines.serving.errors import ServingError
from ledger_pipelines.warehouse import api_tokens, audit
from ledger_pipelines.warehouse.audit import Act


def test_a_token_is_its_holders(connection: sa.Connection) -> None:
    made = tokens.create(connection, "Budi", "viewer")
    assert tokens.authenticate(connection, made.text) == Caller(made.token.id, "Budi", "viewer")
    assert made.token.prefix in made.text


def test_two_tokens_have_nothing_in_common(connection: sa.Connection) -> None:
    first, second = (tokens.create(connection, name, "viewer").text for name in ("a", "b"))
    assert set(first.split("_", 2)[1:]).isdisjoint(second.split("_", 2)[1:])
    assert [len(part) for part in first.split("_", 2)] == [6, 12, 43]


@pytest.mark.parametrize("part", [1, 2])
def test_a_part_of_another_is_not_accepted(connection: sa.Connection, part: int) -> None:
    mine, other = (tokens.create(connection, name, "admin").text.split("_", 2) for name in ("a", "b"))
    mixed = [*mine]
    mixed[part] = other[part]
    with pytest.raises(TokenRefusedError, match="not known"):
        tokens.authenticate(connection, "_".join(mixed))


@pytest.mark.parametrize("text", ["", "ledger__", "ledger_000000000000_", "x" * 100_000, "ledger_\x00", "ä"])
def test_what_is_no_token(connection: sa.Connection, text: str) -> None:
    with pytest.raises(TokenRefusedError, match="not known"):
        tokens.authenticate(connection, text)


def test_only_the_holder_learns_that_a_token_is_revoked(connection: sa.Connection) -> None:
    made = tokens.create(connection, "Budi", "viewer")
    api_tokens.revoke(connection, "Budi")
    with pytest.raises(TokenRefusedError, match="was revoked at"):
        tokens.authenticate(connection, made.text)
    wrong = made.text[:-1] + ("A" if made.text[-1] != "A" else "B")
    with pytest.raises(TokenRefusedError, match="not known"):
        tokens.authenticate(connection, wrong)


def test_a_name_is_free_again_when_its_token_is_revoked(connection: sa.Connection) -> None:
    tokens.create(connection, "Budi", "viewer")
    with pytest.raises(ServingError, match="There is a token called 'Budi' already"):
        tokens.create(connection, "Budi", "admin")
    assert api_tokens.revoke(connection, "Budi") is not None
    tokens.create(connection, "Budi", "admin")
    assert [token.state for token in api_tokens.every(connection)] == ["valid", "revoked"]


def test_an_admin_may_what_a_viewer_may() -> None:
    admin, viewer = Caller(1, "a", "admin"), Caller(2, "v", "viewer")
    assert [admin.may("admin"), admin.may("viewer"), viewer.may("viewer"), viewer.may("admin")] == [True] * 3 + [False]


def newest(empty_warehouse: sa.Engine) -> audit.Entry:
    """The newest entry of the audit log."""
    with empty_warehouse.connect() as connection:
        return audit.latest(connection, limit=1)[0]


def test_an_act_is_written_down_before_it_begins(empty_warehouse: sa.Engine) -> None:
    with audited(empty_warehouse, Act("do it", "to this", actor="Budi")):
        begun = newest(empty_warehouse)
        assert (begun.actor, begun.action, begun.target, begun.outcome) == ("Budi", "do it", "to this", None)
    assert newest(empty_warehouse).outcome == "done"
    assert newest(empty_warehouse).id == begun.id


@pytest.mark.parametrize(
    ("error", "outcome", "message"),
    [(ServingError("not so"), "refused", "not so"), (RuntimeError("secret insides"), "failed", "RuntimeError")],
)
def test_an_act_that_fails_is_closed(empty_warehouse: sa.Engine, error: Exception, outcome: str, message: str) -> None:
    with pytest.raises(type(error)), audited(empty_warehouse, Act("do it")):
        raise error
    assert (newest(empty_warehouse).outcome, newest(empty_warehouse).message) == (outcome, message)


def test_nobody_knows_how_an_act_ended_that_was_killed(empty_warehouse: sa.Engine) -> None:
    with pytest.raises(KeyboardInterrupt), audited(empty_warehouse, Act("do it")):
        raise KeyboardInterrupt
    assert newest(empty_warehouse).outcome is None


def test_what_a_stranger_writes_is_kept_readable_and_short(empty_warehouse: sa.Engine) -> None:
    with audited(empty_warehouse, Act("do it", "a\x00b\n" + "c" * 5000)):
        pass
    target = newest(empty_warehouse).target or ""
    assert target.startswith("a\N{REPLACEMENT CHARACTER}b\N{REPLACEMENT CHARACTER}ccc")
    assert len(target) == 1000
