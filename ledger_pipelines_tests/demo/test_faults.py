"""Tests that faulty text in the source neither stops a load nor is lost."""

import json
from decimal import Decimal
from typing import Any

import sqlalchemy as sa

from ledger_pipelines.sources.billing import schema as billing_schema
from ledger_pipelines.warehouse import tables
from ledger_pipelines_tests.reference.rows import reading_row
from ledger_pipelines_tests.support.billing_pipeline import Pipeline, new_pipeline
from ledger_pipelines_tests.support.builders import CURRENT, FIRST, fob_reading, rejections_by_id, state, user

MONTHS = (FIRST, CURRENT)
FAULTY_READINGS = {
    1: r'{"waktu": "2025-02-02\u0000", "volume_sm3": 1}',
    2: r'{"waktu": "2025-02-02", "volume_sm3": "\ud800"}',
    3: r'"\"\\ud800\""',
    4: '{"waktu": "2025-02-02", "volume_sm3": ' + "9" * 5000 + "}",
    5: json.dumps('{"waktu": "2025-02-02", "volume_sm3": NaN}'),
    6: json.dumps('{"waktu": "2025-02-02", "volume_sm3": -Infinity}'),
    7: '{"waktu": "2025-02-02", "volume_sm3": 1e99999}',
    8: json.dumps("{" * 5000),
    9: "[" * 30 + "]" * 30,
    10: json.dumps("a\tb\\N\n\x7f"),
    11: '{"waktu": ' + "[" * 30 + "]" * 30 + ', "volume_sm3": 1}',
}
FAULTY_ENTRIES = [
    r'{"date": "\u0000", "amount": 5}',
    r'{"date": "2025-02-01", "amount": "\ud800"}',
    '{"date": "2025-02-01", "amount": ' + "9" * 5000 + "}",
    '{"date": "2025-02-01", "amount": NaN}',
    r'{"date": "2025-02-01", "amount": 1, "keterangan": "\u0000"}',
    r'"\ud800\u0000"',
    "1e99999",
]


def test_faulty_text_is_loaded_or_rejected(pipeline: Pipeline) -> None:
    usable = r'{"waktu": "2025-02-02", "volume_sm3": "1", "keterangan": "\ud800\u0000"}'
    kept = r'{"date": "2025-02-01", "amount": 5, "description": "a\u0000b\ud800", "\u0000": "\udfff"}'
    price = (
        r'{"year_month": "2025-02", "harga_per_meter_kubik": 7, "\u0000": ["\ud800", ' + "9" * 5000 + ", NaN, 1e99999]}"
    )
    users = [
        user(1, deposit_history=f"[{','.join([kept, *FAULTY_ENTRIES])}]", name="a\tb\\N\n'\"\x7f"),
        user(2, pricing_history=json.dumps(f"[{','.join([price, *FAULTY_ENTRIES])}]")),
    ]
    readings = [reading_row(number, 1, text) for number, text in FAULTY_READINGS.items()]
    pipeline.fill(state(users, [*readings, reading_row(100, 1, usable), fob_reading(101, 2, "2025-02-03")]))
    reports = pipeline.run()
    entries = range(1, len(FAULTY_ENTRIES) + 1)
    assert rejections_by_id(pipeline).keys() == {
        *map(str, FAULTY_READINGS),
        *(f"1/deposit_history/{position}" for position in entries),
        *(f"2/pricing_history/{position}" for position in entries),
    }
    assert [report.loaded for report in reports[:4]] == [2, 1, 1, 2]
    assert pipeline.rows(tables.deposits)[0]["description"] == "a\ufffdb?"
    assert pipeline.rows(tables.customers)[0]["name"] == "a\tb\\N\n'\"\x7f"
    assert pipeline.ledger().transactions[101].total_harga == Decimal("70.00")
    assert pipeline.run()[0].total.changed == 0


def test_columns_are_read_to_the_last_digit(pipeline: Pipeline) -> None:
    digits = {"koreksi_meter": Decimal("1.85431099999999"), "harga_per_meter_kubik": Decimal("99999999.99")}
    pipeline.fill(state([user(1, **digits)], [fob_reading(1, 1, "2025-02-03", "257.90999999999985")]))
    pipeline.run()
    (customer,), (reading,) = pipeline.rows(tables.customers), pipeline.rows(tables.meter_readings)
    assert customer["koreksi_meter"] == digits["koreksi_meter"]
    assert str(reading["volume"]) == "257.90999999999985"


def test_passwords_of_the_application_are_never_read(pipeline: Pipeline) -> None:
    statements: list[str] = []

    def record(_: Any, __: Any, statement: str, *___: Any) -> None:
        statements.append(statement.lower())

    pipeline.fill(state([user(1)], [fob_reading(1, 1, "2025-02-03")]))
    sa.event.listen(pipeline.source, "before_cursor_execute", record)
    try:
        pipeline.run()
    finally:
        sa.event.remove(pipeline.source, "before_cursor_execute", record)
    read = [statement for statement in statements if "from users" in statement or "from data_pencatatan" in statement]
    assert len(read) >= 4
    assert not any("password" in statement or "remember_token" in statement for statement in read)
    assert not any("insert" in word or "update " in word or "delete" in word for word in statements)
    assert {"password", "remember_token"} <= set(billing_schema.users.c.keys())


DEEP_LIST = "[" * 90 + "]" * 90


def test_deep_lists_and_long_numbers_are_rejected(pipeline: Pipeline) -> None:
    long_number = "9" * 200_000
    unbounded = {"type": "custom_period", "start_date": "2025-03-01", "end_date": "9999-12-31", "koreksi_meter": 2}
    users = [
        user(1, deposit_history=DEEP_LIST, pricing_history=DEEP_LIST),
        user(
            2,
            deposit_history="[" * 400 + "]" * 400,
            pricing_history=f'[{{"year_month": "2025-02", "x": {long_number}}}]',
        ),
        user(3, pricing_history=json.dumps([unbounded])),
        user(4, deposit_history=f'[{{"date": "2025-02-01", "amount": {long_number}}}]'),
    ]
    readings = [reading_row(1, 1, DEEP_LIST), fob_reading(2, 2, "2025-02-03"), fob_reading(3, 3, "2025-04-03")]
    pipeline.fill(state(users, readings))
    pipeline.run()
    assert rejections_by_id(pipeline).keys() >= {"1/deposit_history/0", "1/pricing_history/0", "2/deposit_history", "1"}
    assert "4/deposit_history/0" in rejections_by_id(pipeline)
    assert pipeline.ledger().transactions.keys() == {2, 3}
    assert pipeline.ledger().transactions[3].rule == "custom_period"


def test_mariadb_roles_are_compared_exactly(embedded_url: sa.URL, mariadb_url: sa.URL) -> None:
    """MariaDB ignores case and trailing blanks when it compares text, and it accepts NUL characters."""
    paid = '[{"date": "2025-02-01", "amount": 5}]'
    roles = {1: "customer", 2: "Customer", 3: "customer ", 4: "FOB", 5: "ad\0min"}
    users = [user(number, role=role, deposit_history=paid) for number, role in roles.items()]
    readings = [fob_reading(number, number, "2025-02-03") for number in roles]
    with new_pipeline(mariadb_url, embedded_url) as mariadb_pipeline:
        mariadb_pipeline.reset(*MONTHS)
        mariadb_pipeline.fill(state(users, readings))
        mariadb_pipeline.run()
        assert [row["customer_id"] for row in mariadb_pipeline.rows(tables.customers)] == [1]
        assert {customer for customer, _ in mariadb_pipeline.ledger().balances} == {1}
        assert rejections_by_id(mariadb_pipeline).keys() == {"2", "3", "4", "5"}
