"""End of a sync whose warehouse is unavailable."""

from datetime import datetime
from pathlib import Path

import pytest

from ledger_pipelines.defs.resources import PipelineDatabases, SyncConfig, SyncRun, sync_run
from ledger_pipelines.loading.erp.sync_log_file import sync_log_path
from ledger_pipelines.settings import Settings
from ledger_pipelines.warehouse.ops.sync_logs import SyncLog
from ledger_pipelines.warehouse.schema import WarehouseError
from ledger_pipelines_tests.support.billing_pipeline import WIB
from ledger_pipelines_tests.support.servers import free_port


def test_unclosed_log_has_its_reason_in_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sync_run, "CLOSE_TIMEOUT_SECONDS", 0.01)
    monkeypatch.setattr(sync_run, "_POLL_SECONDS", 0.02)
    settings = Settings(home=tmp_path, warehouse_url=f"postgresql://u:hush@127.0.0.1:{free_port()}/warehouse")
    databases = PipelineDatabases(settings)
    started = datetime(2025, 6, 1, tzinfo=WIB)
    log = SyncLog(7, "manual", "running", started, None, 0, 0, 0, None, None, None, "abc")
    with pytest.raises(WarehouseError, match="cannot be used"):
        SyncRun(databases, log, SyncConfig(), ["stockbywh"]).close()
    databases.warehouse.dispose()
    waits, gives_up = sync_log_path(settings).read_text().splitlines()
    assert "sync 7 waits until it can be closed: The warehouse" in waits
    assert "sync 7 could not be closed; the sensor finished_syncs or the next sync closes it: The warehouse" in gives_up
    assert "hush" not in waits + gives_up
