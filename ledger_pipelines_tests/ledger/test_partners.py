"""Business partners of a customer: defaults, pairs set by hand, and refused pairs."""

from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from ledger_pipelines.errors import LedgerError
from ledger_pipelines.ledger.reconciliation import partners
from ledger_pipelines.ledger.reconciliation.partners import PartnerMapping
from ledger_pipelines.warehouse import tables
from ledger_pipelines.warehouse.partitions import ensure_partition
from ledger_pipelines_tests.support.billing_pipeline import Pipeline

ANNA, BUDI, CITRA = 11, 12, 13
LINES = tables.erp_tables["so_invoice_line"]


@pytest.fixture
def connection(shared_pipeline: Pipeline) -> Iterator[sa.Connection]:
    """Yield a transaction in a warehouse with three customers, two of one contract, and the partners K1 to K4."""
    shared_pipeline.reset("2025-01", "2025-03")
    contracts = {ANNA: "K1", BUDI: " K2", CITRA: "K2"}
    with shared_pipeline.warehouse.connect() as made:
        for number, contract in contracts.items():
            row = {"customer_id": number, "role": "fob", "no_kontrak": contract, "use_realtime_calculation": True}
            made.execute(sa.insert(tables.customers).values(row))
        ensure_partition(made, LINES, "2025-01")
        for code in ("K1", "K2", "K3", "K4", None):
            made.execute(sa.insert(LINES).values(year_month="2025-01", bp_code=code))
        yield made
        made.rollback()


def pairs_after_defaults(connection: sa.Connection) -> list[tuple[int, str, str]]:
    """Update the defaults and return all pairs with their origin."""
    partners.update_default_partners(connection)
    table = tables.customer_business_partners.c
    statement = sa.select(table.customer_id, table.bp_code, table.origin).order_by(table.customer_id, table.bp_code)
    return [tuple(row) for row in connection.execute(statement)]


DEFAULTS = [(ANNA, "K1", "default"), (BUDI, "K2", "default"), (CITRA, "K2", "default")]


def test_default_partner_has_the_contract_number(connection: sa.Connection) -> None:
    assert pairs_after_defaults(connection) == DEFAULTS
    connection.execute(
        sa.update(tables.customers).where(tables.customers.c.customer_id == ANNA).values(no_kontrak="K3")
    )
    connection.execute(sa.delete(tables.customers).where(tables.customers.c.customer_id == BUDI))
    assert pairs_after_defaults(connection) == [(ANNA, "K3", "default"), (CITRA, "K2", "default")]
    connection.execute(sa.update(tables.customers).values(no_kontrak="k2"))
    assert pairs_after_defaults(connection) == [], "case matters"


def test_trailing_blanks_of_codes_are_ignored(connection: sa.Connection) -> None:
    """Some ERP systems pad codes to a fixed length."""
    connection.execute(sa.update(LINES).where(LINES.c.bp_code.is_not(None)).values(bp_code=LINES.c.bp_code + "   "))
    assert pairs_after_defaults(connection) == DEFAULTS
    partners.set_partner(connection, ANNA, "K3 ")
    assert pairs_after_defaults(connection) == [(ANNA, "K3", "set"), *DEFAULTS[1:]]
    assert partners.remove_partner(connection, ANNA, "K3  ") == [PartnerMapping(ANNA, "K3", "set")]


@pytest.mark.parametrize("blank", ["", "  "])
def test_blank_contract_number_has_no_default(connection: sa.Connection, blank: str) -> None:
    connection.execute(sa.insert(LINES).values(year_month="2025-01", bp_code=""))
    connection.execute(sa.update(tables.customers).values(no_kontrak=blank))
    assert pairs_after_defaults(connection) == []


def test_set_pair_is_never_overwritten(connection: sa.Connection) -> None:
    pairs_after_defaults(connection)
    partners.set_partner(connection, ANNA, "K3")
    assert pairs_after_defaults(connection) == [(ANNA, "K3", "set"), *DEFAULTS[1:]]
    partners.set_partner(connection, ANNA, "K1")
    assert pairs_after_defaults(connection)[:2] == [(ANNA, "K1", "set"), (ANNA, "K3", "set")]


def test_set_partner_is_no_default(connection: sa.Connection) -> None:
    pairs_after_defaults(connection)
    partners.set_partner(connection, ANNA, "K2")
    assert pairs_after_defaults(connection) == [(ANNA, "K2", "set")]
    partners.set_partner(connection, CITRA, "K2")
    assert pairs_after_defaults(connection) == [(ANNA, "K2", "set"), (CITRA, "K2", "set")]


def test_removed_default_does_not_return(connection: sa.Connection) -> None:
    pairs_after_defaults(connection)
    assert partners.remove_partner(connection, BUDI) == [PartnerMapping(BUDI, "K2", "default")]
    assert pairs_after_defaults(connection) == [DEFAULTS[0], (BUDI, "K2", "excluded"), DEFAULTS[2]]
    assert partners.remove_partner(connection, BUDI) == []
    partners.set_partner(connection, BUDI, "K2")
    assert pairs_after_defaults(connection) == [DEFAULTS[0], (BUDI, "K2", "set")]


def test_default_returns_after_removing_set_pairs(connection: sa.Connection) -> None:
    for code in ("K3", "K4"):
        partners.set_partner(connection, ANNA, code)
    assert partners.remove_partner(connection, ANNA, "K3") == [PartnerMapping(ANNA, "K3", "set")]
    assert pairs_after_defaults(connection)[0] == (ANNA, "K4", "set")
    partners.remove_partner(connection, ANNA)
    assert pairs_after_defaults(connection) == DEFAULTS


def test_setting_twice_changes_nothing(connection: sa.Connection) -> None:
    since = sa.select(tables.customer_business_partners.c.since)
    partners.set_partner(connection, ANNA, "K3")
    connection.execute(sa.update(tables.customer_business_partners).values(since=sa.text("'2025-01-01+07'")))
    before = connection.scalar(since)
    partners.set_partner(connection, ANNA, "K3")
    assert connection.scalar(since) == before


@pytest.mark.parametrize(
    ("existing", "refused", "message"),
    [
        ([], (99, "K1"), "There is no customer 99"),
        ([], (ANNA, "K9"), "the business partner 'K9'"),
        ([(ANNA, "K1"), (ANNA, "K2")], (BUDI, "K2"), "customer 11 is also invoiced as 'K1'"),
        ([(ANNA, "K1"), (BUDI, "K2")], (BUDI, "K1"), "customer 12 is also invoiced as 'K2'"),
        ([(ANNA, "K1"), (BUDI, "K1")], (BUDI, "K2"), "customer 12 is also invoiced as 'K2'"),
    ],
)
def test_ambiguous_pairs_are_refused(
    connection: sa.Connection, existing: list[tuple[int, str]], refused: tuple[int, str], message: str
) -> None:
    for pair in existing:
        partners.set_partner(connection, *pair)
    before = pairs_after_defaults(connection)
    with pytest.raises(LedgerError, match=message):
        partners.set_partner(connection, *refused)
    assert pairs_after_defaults(connection) == before
