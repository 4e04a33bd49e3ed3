"""`ledger token`: create, list, revoke; each leaves a row in the audit log."""

from datetime import datetime

import pytest
import sqlalchemy as sa

from ledger_pipelines.serving.access import tokens
from ledger_pipelines.serving.access.tokens import TokenRefusedError
from ledger_pipelines.serving.base.databases import Databases
from ledger_pipelines.serving.cli.token import create_first_token
from ledger_pipelines.warehouse.ops import audit
from ledger_pipelines_tests.support.serving.installation import Installation, json_of


def authenticate(installation: Installation, text: str) -> tokens.Caller:
    """Return the caller that a token belongs to."""
    with installation.warehouse() as connection:
        return tokens.authenticate(connection, text)


@pytest.mark.usefixtures("narrow")
def test_create_list_and_revoke(computed: Installation) -> None:
    answer = computed.run_json("token", "create", "--name", "Budi", "--role", "viewer", "--days", "30")
    caller = authenticate(computed, answer["token"])
    assert (caller.name, caller.role) == ("Budi", "viewer")
    again = computed.run("token", "create", "--name", "Budi", "--role", "admin", "--json")
    assert again.exit_code == 1
    assert "A token named 'Budi' already exists" in json_of(again)["error"]

    (listed,) = [token for token in computed.run_json("token", "list")["tokens"] if token["name"] == "Budi"]
    assert (listed["role"], listed["state"]) == ("viewer", "valid")
    assert listed["last_used_at"].endswith("+07:00")
    assert listed["expires_at"] > listed["created_at"]
    shown = computed.run("token", "list").stdout
    assert answer["token"] not in shown
    created, expires = (datetime.fromisoformat(listed[name]) for name in ("created_at", "expires_at"))
    (line,) = [line for line in shown.splitlines() if "Budi" in line]
    assert f" {created:%Y-%m-%d %H:%M:%S}   {expires:%Y-%m-%d %H:%M:%S} " in line

    computed.succeed("token", "revoke", "Budi")
    with pytest.raises(TokenRefusedError, match="revoked"):
        authenticate(computed, answer["token"])
    assert computed.run("token", "revoke", "Budi").exit_code == 1
    with computed.warehouse() as connection:
        entries = audit.latest(connection, limit=4)
    assert [(entry.action, entry.target, entry.outcome) for entry in entries] == [
        ("ledger token revoke", "Budi", "refused"),
        ("ledger token revoke", "Budi", "done"),
        ("ledger token create", "Budi (admin)", "refused"),
        ("ledger token create", "Budi (viewer)", "done"),
    ]
    assert all((entry.actor or "").startswith("command line (") for entry in entries)


def test_token_text_is_not_stored(computed: Installation) -> None:
    created = computed.run_json("token", "create", "--name", "Sari", "--role", "admin")["token"]
    secret = created.rpartition("_")[2]
    with computed.warehouse() as connection:
        for table in ("api_tokens", "audit_log"):
            rows = connection.scalars(sa.text(f"SELECT t::text FROM ops.{table} AS t")).all()
            assert rows
            assert not any(secret in row for row in rows)
    computed.run("token", "revoke", "Sari")


def test_first_token_is_created_once(computed: Installation) -> None:
    with computed.warehouse() as connection:
        connection.execute(sa.text("DELETE FROM ops.audit_log"))
        connection.execute(sa.text("DELETE FROM ops.api_tokens"))
    with Databases(computed.settings) as databases:
        first = create_first_token(databases)
        assert first is not None
        assert authenticate(computed, first.text).role == "admin"
        assert create_first_token(databases) is None
        computed.run("token", "revoke", first.token.name)
        assert create_first_token(databases) is None
