"""Sensor of the first reconciliation: real ticks, real runs."""

from collections.abc import Sequence
from typing import Any

import dagster as dg
import pytest
import sqlalchemy as sa

from ledger_pipelines.defs.automation.jobs import reconciliation_job
from ledger_pipelines.defs.automation.reconciliation import reconciliation_sensors
from ledger_pipelines.defs.automation.schedules import reconciliation_schedules
from ledger_pipelines.defs.partitions import RANGE_END_TAG, RANGE_START_TAG
from ledger_pipelines.warehouse.ops.loaded_months import mark_loaded
from ledger_pipelines.warehouse.partitions import ensure_partition
from ledger_pipelines.warehouse.tables import balance_comparison, erp_tables, invoice_reconciliation, loaded_months
from ledger_pipelines_tests.reference.model import SourceState
from ledger_pipelines_tests.reference.rows import reading_row, user_row
from ledger_pipelines_tests.support.code_location import CURRENT, FIRST, CodeLocation
from ledger_pipelines_tests.support.dagster_internals import ScheduleExecutionData, SensorExecutionData

LINES = erp_tables["so_invoice_line"]
COMPARISON, INVOICES = balance_comparison.name, invoice_reconciliation.name


@pytest.fixture
def location(location: CodeLocation) -> CodeLocation:
    """Return the module's location with a customer and a reading in the source and an empty ledger."""
    location.pipeline.reset(FIRST, CURRENT)
    reading = reading_row(1, 1, '{"waktu": "2025-02-03", "volume_sm3": 10}')
    location.pipeline.fill(SourceState((user_row(1, role="fob", harga_per_meter_kubik=100),), (reading,)))
    return location


def evaluated(location: CodeLocation, *, with_erp: bool = True) -> SensorExecutionData:
    """Evaluate a tick of the sensor."""
    erp = {"erp_url": location.settings.warehouse_url if with_erp else None}
    (sensor,) = reconciliation_sensors(location.settings.model_copy(update=erp))
    return location.evaluate_sensor(sensor)


def tick(location: CodeLocation, *, with_erp: bool = True) -> Sequence[dg.RunRequest]:
    """Return the run requests of a tick."""
    return evaluated(location, with_erp=with_erp).run_requests or ()


def copy_invoices(location: CodeLocation) -> None:
    """Mark the ERP's invoices as copied, without any rows."""
    with location.pipeline.warehouse.begin() as connection:
        for month in location.pipeline.horizon.months:
            ensure_partition(connection, LINES, month)
        mark_loaded(connection, LINES, location.pipeline.horizon.months, "test")


def run(location: CodeLocation, request: dg.RunRequest) -> bool:
    """Execute a requested run and return whether it succeeded."""
    job = location.definitions.resolve_job_def(reconciliation_job.name)
    result = job.execute_in_process(
        instance=location.instance, tags=dict(request.tags), asset_selection=request.asset_selection
    )
    return result.success


def assets(requests: Sequence[dg.RunRequest]) -> list[str]:
    """Return the names of the requested assets."""
    return [key.to_user_string() for request in requests for key in request.asset_selection or ()]


def test_no_run_is_requested_before_there_are_balances(location: CodeLocation) -> None:
    copy_invoices(location)
    assert tick(location) == ()
    assert str(evaluated(location).skip_message).startswith("The ledger has never been computed")


def test_the_comparison_is_requested_once_balances_exist(location: CodeLocation) -> None:
    location.pipeline.run()
    for with_erp in (True, False):
        assert assets(tick(location, with_erp=with_erp)) == [COMPARISON], (
            "the invoices are not loaded, or there is no ERP"
        )
    (request,) = tick(location)
    assert run(location, request)
    assert len(location.pipeline.rows(balance_comparison)) == 1
    assert tick(location) == ()


def test_the_invoices_are_reconciled_once_loaded(location: CodeLocation) -> None:
    location.pipeline.run()
    copy_invoices(location)
    requests = tick(location)
    assert assets(requests) == [COMPARISON, INVOICES]
    (_, request) = requests
    assert (request.tags[RANGE_START_TAG], request.tags[RANGE_END_TAG]) == (FIRST, CURRENT)
    assert all(run(location, each) for each in requests)
    assert len(location.pipeline.rows(invoice_reconciliation)) == 1
    assert tick(location) == ()
    assert assets(tick(location, with_erp=False)) == []


def nightly(location: CodeLocation) -> ScheduleExecutionData:
    """Evaluate a tick of the nightly schedule, with an ERP."""
    settings = location.settings.model_copy(update={"erp_url": location.settings.warehouse_url})
    (schedule,) = reconciliation_schedules(settings)
    return location.evaluate_schedule(schedule)


def test_the_nightly_comparison_leaves_out_unread_tables(location: CodeLocation) -> None:
    location.pipeline.run()
    assert assets(nightly(location).run_requests or ()) == [COMPARISON], "the invoices have not been copied"
    copy_invoices(location)
    (request,) = nightly(location).run_requests or ()
    assert request.asset_selection is None
    with location.pipeline.warehouse.begin() as connection:
        of_current = loaded_months.c.year_month == CURRENT
        connection.execute(sa.delete(loaded_months).where(of_current, loaded_months.c.table_name != str(LINES)))
    assert str(nightly(location).skip_message).startswith("Balances of a month are missing")


def test_a_failed_run_is_requested_again_after_a_load(location: CodeLocation) -> None:
    """Dagster accepts a run key once; until the next load, another run would have the same result."""
    location.pipeline.run()
    keys = [request.run_key for request in (*tick(location), *tick(location))]
    assert keys[0] == keys[1]
    later = {"loaded_at": loaded_months.c.loaded_at + sa.text("interval '1 second'")}
    with location.pipeline.warehouse.begin() as connection:
        connection.execute(sa.update(loaded_months).values(later))
    (request,) = tick(location)
    assert request.run_key not in keys


def test_the_sensor_is_on(location: CodeLocation) -> None:
    sensor: Any = location.definitions.resolve_sensor_def("first_reconciliation")
    assert sensor.default_status == dg.DefaultSensorStatus.RUNNING
    assert sensor.job_name == reconciliation_job.name
