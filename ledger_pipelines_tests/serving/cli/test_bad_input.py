"""A billing application that cannot be read or has invalid data: the message, and that nothing changes."""

from collections.abc import Callable

import pytest
import sqlalchemy as sa

from ledger_pipelines.sources.billing.schema import users
from ledger_pipelines_tests.support.servers import free_port
from ledger_pipelines_tests.support.serving.installation import Installation, json_of
from ledger_pipelines_tests.support.tables import execute

SYNC = ("balance", "sync", "--all")


def refused(computed: Installation, url: sa.URL) -> str:
    """Run a sync from a source, check that it fails and changes nothing, and return its error message."""
    before = computed.fingerprint()
    result = computed.run(*SYNC, LEDGER_BILLING_URL=url.render_as_string(hide_password=False))
    assert result.exit_code == 1
    assert "Traceback" not in result.output
    assert computed.fingerprint() == before
    return result.stderr


def test_unreachable(computed: Installation) -> None:
    message = refused(computed, sa.make_url(f"mysql+pymysql://me:s3cret@127.0.0.1:{free_port()}/billing"))
    assert "The billing database" in message
    assert "LEDGER_BILLING_URL" in message
    assert "s3cret" not in message


def test_wrong_password(computed: Installation) -> None:
    with computed.changed_billing_copy() as source:
        assert "password authentication failed" in refused(computed, source.url.set(password="wr0ng"))  # noqa: S106


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ("DROP TABLE data_pencatatan", "There is no table or view data_pencatatan"),
        ("ALTER TABLE users DROP COLUMN suhu", "lacks the column suhu"),
        ("DELETE FROM users", "no customers at all"),
    ],
)
def test_invalid_source_is_refused(computed: Installation, statement: str, message: str) -> None:
    with computed.changed_billing_copy() as source:
        execute(source, statement)
        assert message in refused(computed, source.url)


def test_empty_source_is_accepted_with_accept_deletions(computed: Installation) -> None:
    with computed.changed_billing_copy() as source:
        execute(source, "DELETE FROM users")
        url = source.url.render_as_string(hide_password=False)
        computed.succeed(*SYNC, "--accept-deletions", LEDGER_BILLING_URL=url)
    with computed.warehouse() as connection:
        assert connection.scalar(sa.text("SELECT count(*) FROM ledger.monthly_customer_balances")) == 0
    computed.succeed(*SYNC, "--accept-deletions")


def test_unparsable_json_keeps_loaded_rows_and_is_rejected(computed: Installation) -> None:
    fingerprint: Callable[[], dict[str, str]] = computed.fingerprint
    before = fingerprint()
    with computed.changed_billing_copy() as source:
        execute(source, sa.update(users).where(users.c.id == 11).values(deposit_history='[{"date": '))
        url = source.url.render_as_string(hide_password=False)
        result = computed.succeed(*SYNC, "--json", LEDGER_BILLING_URL=url)
    assert computed.fingerprint() == before
    checks = {(check["asset"], check["name"]) for check in json_of(result)["checks_not_passed"]}
    assert ("deposits", "no_rejected_rows") in checks
    with computed.warehouse() as connection:
        query = "SELECT reason FROM ops.rejected_rows WHERE source_id = '11/deposit_history'"
        assert "not JSON" in str(connection.scalar(sa.text(query)))
