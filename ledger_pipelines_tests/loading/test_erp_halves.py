"""An ERP with a text that its driver cannot read: one row is rejected, every other is copied."""

from datetime import date
from typing import Any

import pytest
import sqlalchemy as sa

from ledger_pipelines.sources.erp_tables import VIEW_PROD_HEADER
from ledger_pipelines_tests.erp_copy import ErpCopy, expected

ORDERS = VIEW_PROD_HEADER.name


@pytest.mark.parametrize("erp_copy", ["mariadb"], indirect=True)
def test_half_a_character_rejects_its_row_only(erp_copy: ErpCopy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ledger_pipelines.loading.erp.time.sleep", lambda _: None)
    rows: list[dict[str, Any]] = [
        {"prod_index": number, "planning_date": date(2025, 3, number), "description": f"Pipe {number} 😀"}
        for number in range(1, 29)
    ]
    erp_copy.fill(ORDERS, rows)
    half = "UPDATE view_prod_header SET description = CONVERT(0x0061D83D USING ucs2) WHERE prod_index = 5"
    with erp_copy.source.begin() as connection:
        connection.execute(sa.text(half))
    report = erp_copy.sync(ORDERS)[ORDERS]
    (said,) = erp_copy.said
    assert "holds half a character" in said
    assert "Trying again" in said
    assert (report.total.inserted, len(erp_copy.rejected(ORDERS))) == (27, 1)
    assert erp_copy.rejected(ORDERS)[0]["reason"] == "description: half a character (a lone surrogate)"
    others = [row for row in rows if row["prod_index"] != 5]
    assert erp_copy.copied(ORDERS) == expected(VIEW_PROD_HEADER, others, erp_copy.horizon)
