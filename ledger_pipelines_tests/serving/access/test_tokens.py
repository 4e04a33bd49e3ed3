"""API tokens: lookup by prefix, authentication by secret, expiry and revocation; and the audit log of commands."""

import pytest
import sqlalchemy as sa

from ledger_pipelines.serving.access import tokens
from ledger_pipelines.serving.access.auditing import audited
from ledger_pipelines.serving.access.tokens import Caller, TokenRefusedError
from ledger_pipelines.serving.base.errors import ServingError
from ledger_pipelines.warehouse.ops import api_tokens
from ledger_pipelines.warehouse.ops.audit import Command
from ledger_pipelines_tests.support.tables import newest_audit_entry


def test_authenticate_returns_the_holder(connection: sa.Connection) -> None:
    created = tokens.create(connection, "Budi", "viewer")
    assert tokens.authenticate(connection, created.text) == Caller(created.token.id, "Budi", "viewer")
    assert created.token.prefix in created.text


def test_two_tokens_share_no_part(connection: sa.Connection) -> None:
    first, second = (tokens.create(connection, name, "viewer").text for name in ("a", "b"))
    assert set(first.split("_", 2)[1:]).isdisjoint(second.split("_", 2)[1:])
    assert [len(part) for part in first.split("_", 2)] == [6, 12, 43]


@pytest.mark.parametrize("part", [1, 2])
def test_parts_of_two_tokens_are_refused(connection: sa.Connection, part: int) -> None:
    own, other = (tokens.create(connection, name, "admin").text.split("_", 2) for name in ("a", "b"))
    mixed = [*own]
    mixed[part] = other[part]
    with pytest.raises(TokenRefusedError, match="not known"):
        tokens.authenticate(connection, "_".join(mixed))


@pytest.mark.parametrize("text", ["", "ledger__", "ledger_000000000000_", "x" * 100_000, "ledger_\x00", "ä"])
def test_malformed_tokens_are_refused(connection: sa.Connection, text: str) -> None:
    with pytest.raises(TokenRefusedError, match="not known"):
        tokens.authenticate(connection, text)


def test_only_the_full_token_reveals_its_revocation(connection: sa.Connection) -> None:
    created = tokens.create(connection, "Budi", "viewer")
    api_tokens.revoke(connection, "Budi")
    with pytest.raises(TokenRefusedError, match="was revoked at"):
        tokens.authenticate(connection, created.text)
    changed = created.text[:-1] + ("A" if created.text[-1] != "A" else "B")
    with pytest.raises(TokenRefusedError, match="not known"):
        tokens.authenticate(connection, changed)


def test_a_revoked_tokens_name_can_be_reused(connection: sa.Connection) -> None:
    tokens.create(connection, "Budi", "viewer")
    with pytest.raises(ServingError, match="A token named 'Budi' already exists"):
        tokens.create(connection, "Budi", "admin")
    assert api_tokens.revoke(connection, "Budi") is not None
    tokens.create(connection, "Budi", "admin")
    assert [token.state for token in api_tokens.all_tokens(connection)] == ["valid", "revoked"]


def test_an_admin_has_the_role_viewer() -> None:
    admin, viewer = Caller(1, "a", "admin"), Caller(2, "v", "viewer")
    assert [admin.has_role("admin"), admin.has_role("viewer"), viewer.has_role("viewer"), viewer.has_role("admin")] == [
        True
    ] * 3 + [False]


def test_a_command_is_logged_before_it_runs(empty_warehouse: sa.Engine) -> None:
    with audited(empty_warehouse, Command("do it", "to this", actor="Budi")):
        entry = newest_audit_entry(empty_warehouse)
        assert (entry.actor, entry.action, entry.target, entry.outcome) == ("Budi", "do it", "to this", None)
    assert newest_audit_entry(empty_warehouse).outcome == "done"
    assert newest_audit_entry(empty_warehouse).id == entry.id


@pytest.mark.parametrize(
    ("error", "outcome", "message"),
    [(ServingError("not so"), "refused", "not so"), (RuntimeError("secret insides"), "failed", "RuntimeError")],
)
def test_a_failed_command_gets_an_outcome(
    empty_warehouse: sa.Engine, error: Exception, outcome: str, message: str
) -> None:
    with pytest.raises(type(error)), audited(empty_warehouse, Command("do it")):
        raise error
    entry = newest_audit_entry(empty_warehouse)
    assert (entry.outcome, entry.message) == (outcome, message)


def test_a_killed_command_has_no_outcome(empty_warehouse: sa.Engine) -> None:
    with pytest.raises(KeyboardInterrupt), audited(empty_warehouse, Command("do it")):
        raise KeyboardInterrupt
    assert newest_audit_entry(empty_warehouse).outcome is None


def test_targets_are_stored_printable_and_short(empty_warehouse: sa.Engine) -> None:
    with audited(empty_warehouse, Command("do it", "a\x00b\n" + "c" * 5000)):
        pass
    target = newest_audit_entry(empty_warehouse).target or ""
    assert target.startswith("a\N{REPLACEMENT CHARACTER}b\N{REPLACEMENT CHARACTER}ccc")
    assert len(target) == 1000
