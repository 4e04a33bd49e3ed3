"""Which business partners a customer is invoiced as: defaults, what a person says, and what is refused."""

from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from ledger_pipelines.ledger.reconciliation import partners
from ledger_pipelines.ledger.reconciliation.partners import Mapping, PartnerError
from ledger_pipelines.warehouse import tables
from ledger_pipelines.warehouse.partitions import ensure_partition
from ledger_pipelines_tests.pipeline import Pipeline

ANNA, BUDI, CITRA = 11, 12, 13
LINES = tables.erp_tables["so_invoice_line"]


@pytest.fixture
def connection(shared_pipeline: Pipeline) -> Iterator[sa.Connection]:
    """A transaction in a warehouse with three customers, two of one contract, and the partners K1 to K4."""
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


def mapped(connection: sa.Connection) -> list[tuple[int, str, str]]:
    """What is said, after the defaults have been made anew."""
    partners.fill_defaults(connection)
    table = tables.customer_business_partners.c
    statement = sa.select(table.customer_id, table.bp_code, table.origin).order_by(table.customer_id, table.bp_code)
    return [tuple(row) for row in connection.execute(statement)]


DEFAULTS = [(ANNA, "K1", "default"), (BUDI, "K2", "default"), (CITRA, "K2", "default")]


def test_by_default_the_contract_number_is_the_code(connection: sa.Connection) -> None:
    assert mapped(connection) == DEFAULTS
    connection.execute(
        sa.update(tables.customers).where(tables.customers.c.customer_id == ANNA).values(no_kontrak="K3")
    )
    connection.execute(sa.delete(tables.customers).where(tables.customers.c.customer_id == BUDI))
    assert mapped(connection) == [(ANNA, "K3", "default"), (CITRA, "K2", "default")]
    connection.execute(sa.update(tables.customers).values(no_kontrak="k2"))
    assert mapped(connection) == [], "to the letter"


def test_blanks_behind_a_code_of_the_erp_do_not_count(connection: sa.Connection) -> None:
    """Some of its systems pad codes to a fixed length."""
    connection.execute(sa.update(LINES).where(LINES.c.bp_code.is_not(None)).values(bp_code=LINES.c.bp_code + "   "))
    assert mapped(connection) == DEFAULTS
    partners.set_partner(connection, ANNA, "K3 ")
    assert mapped(connection) == [(ANNA, "K3", "set"), *DEFAULTS[1:]]
    assert partners.remove_partner(connection, ANNA, "K3  ") == [Mapping(ANNA, "K3", "set")]


@pytest.mark.parametrize("blank", ["", "  "])
def test_a_blank_contract_number_is_nobodys(connection: sa.Connection, blank: str) -> None:
    connection.execute(sa.insert(LINES).values(year_month="2025-01", bp_code=""))
    connection.execute(sa.update(tables.customers).values(no_kontrak=blank))
    assert mapped(connection) == []


def test_what_is_set_is_never_overwritten(connection: sa.Connection) -> None:
    mapped(connection)
    partners.set_partner(connection, ANNA, "K3")
    assert mapped(connection) == [(ANNA, "K3", "set"), *DEFAULTS[1:]]
    partners.set_partner(connection, ANNA, "K1")
    assert mapped(connection)[:2] == [(ANNA, "K1", "set"), (ANNA, "K3", "set")]


def test_a_partner_that_is_set_is_nobodys_default(connection: sa.Connection) -> None:
    mapped(connection)
    partners.set_partner(connection, ANNA, "K2")
    assert mapped(connection) == [(ANNA, "K2", "set")]
    partners.set_partner(connection, CITRA, "K2")
    assert mapped(connection) == [(ANNA, "K2", "set"), (CITRA, "K2", "set")]


def test_a_default_that_is_removed_does_not_come_back(connection: sa.Connection) -> None:
    mapped(connection)
    assert partners.remove_partner(connection, BUDI) == [Mapping(BUDI, "K2", "default")]
    assert mapped(connection) == [DEFAULTS[0], (BUDI, "K2", "excluded"), DEFAULTS[2]]
    assert partners.remove_partner(connection, BUDI) == []
    partners.set_partner(connection, BUDI, "K2")
    assert mapped(connection) == [DEFAULTS[0], (BUDI, "K2", "set")]


def test_the_default_comes_back_when_what_was_set_is_removed(connection: sa.Connection) -> None:
    for code in ("K3", "K4"):
        partners.set_partner(connection, ANNA, code)
    assert partners.remove_partner(connection, ANNA, "K3") == [Mapping(ANNA, "K3", "set")]
    assert mapped(connection)[0] == (ANNA, "K4", "set")
    partners.remove_partner(connection, ANNA)
    assert mapped(connection) == DEFAULTS


def test_setting_again_changes_nothing(connection: sa.Connection) -> None:
    since = sa.select(tables.customer_business_partners.c.since)
    partners.set_partner(connection, ANNA, "K3")
    connection.execute(sa.update(tables.customer_business_partners).values(since=sa.text("'2025-01-01+07'")))
    before = connection.scalar(since)
    partners.set_partner(connection, ANNA, "K3")
    assert connection.scalar(since) == before


@pytest.mark.parametrize(
    ("said", "asked", "message"),
    [
        ([], (99, "K1"), "There is no customer 99"),
        ([], (ANNA, "K9"), "the business partner 'K9'"),
        ([(ANNA, "K1"), (ANNA, "K2")], (BUDI, "K2"), "customer 11 is invoiced as 'K1' too"),
        ([(ANNA, "K1"), (BUDI, "K2")], (BUDI, "K1"), "customer 12 is invoiced as 'K2' too"),
        ([(ANNA, "K1"), (BUDI, "K1")], (BUDI, "K2"), "customer 12 is invoiced as 'K2' too"),
    ],
)
def test_what_cannot_be_said(
    connection: sa.Connection, said: list[tuple[int, str]], asked: tuple[int, str], message: str
) -> None:
    for pair in said:
        partners.set_partner(connection, *pair)
    before = mapped(connection)
    with pytest.raises(PartnerError, match=message):
        partners.set_partner(connection, *asked)
    assert mapped(connection) == before
