"""Text with a lone surrogate, which the ERP's driver cannot read: its row is rejected, all others are copied."""

from datetime import date
from typing import Any

import pytest
import sqlalchemy as sa

from ledger_pipelines.sources.erp.catalogue import VIEW_PROD_HEADER
from ledger_pipelines_tests.support.erp.erp_copy import ErpCopy, expected_copy

ORDERS = VIEW_PROD_HEADER.name


@pytest.mark.parametrize("source_server", ["mariadb"], indirect=True)
def test_lone_surrogate_rejects_only_its_row(erp_copy: ErpCopy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ledger_pipelines.loading.erp.load.time.sleep", lambda _: None)
    rows: list[dict[str, Any]] = [
        {"prod_index": number, "planning_date": date(2025, 3, number), "description": f"Pipe {number} 😀"}
        for number in range(1, 29)
    ]
    erp_copy.fill(ORDERS, rows)
    write_surrogate = "UPDATE view_prod_header SET description = CONVERT(0x0061D83D USING ucs2) WHERE prod_index = 5"
    with erp_copy.source.begin() as connection:
        connection.execute(sa.text(write_surrogate))
    report = erp_copy.sync(ORDERS)[ORDERS]
    (warning,) = erp_copy.warnings
    assert "has a lone surrogate" in warning
    assert "Trying again" in warning
    assert (report.total.inserted, len(erp_copy.rejected(ORDERS))) == (27, 1)
    assert erp_copy.rejected(ORDERS)[0]["reason"] == "description contains a lone surrogate (half a character)"
    others = [row for row in rows if row["prod_index"] != 5]
    assert erp_copy.copied_rows(ORDERS) == expected_copy(VIEW_PROD_HEADER, others, erp_copy.horizon)
