"""Health check: databases, incidents, data, accuracy of the ledger, query speed."""

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from statistics import median
from typing import Any

import sqlalchemy as sa
from sqlalchemy import exc

from ledger_pipelines.errors import first_line
from ledger_pipelines.horizon import month_of
from ledger_pipelines.ledger.checks import INVARIANTS, CheckScope, count_findings
from ledger_pipelines.serving.base.databases import Databases, connection_error
from ledger_pipelines.serving.dagster.run_summary import ProgressCallback
from ledger_pipelines.settings import Settings, mask_url
from ledger_pipelines.sources.erp.connection.cursor import CONNECT_SECONDS
from ledger_pipelines.sources.erp.connection.engine import erp_engine
from ledger_pipelines.sources.erp.reader import ErpSource
from ledger_pipelines.sources.errors import SourceError
from ledger_pipelines.warehouse import database_urls
from ledger_pipelines.warehouse.ops.first_computation import COMPUTE_COMMAND, is_computed
from ledger_pipelines.warehouse.ops.incidents import Incident, open_incidents
from ledger_pipelines.warehouse.ops.loaded_months import LEDGER_TABLES, unwritten_months
from ledger_pipelines.warehouse.queries.customers import customer as customer_queries
from ledger_pipelines.warehouse.queries.summaries import rejections_by_reason, row_counts
from ledger_pipelines.warehouse.tables import (
    customers,
    deposits,
    meter_readings,
    monthly_customer_balances,
    prices,
    transaction_calculations,
)

_REJECTING = (customers, prices, deposits, meter_readings, transaction_calculations)
#: How long after the start of a month the turn of the month, and the run that loads its rows, may take.
_TURN, _READ = timedelta(minutes=1), timedelta(minutes=10)
_OF_INCIDENT = {
    "kind": "kind",
    "subject": "subject",
    "since": "opened_at",
    "occurrences": "occurrences",
    "owner": "owner",
    "what is wrong": "reason",
    "what to do": "what_to_do",
}
_REPETITIONS = 5
_WAREHOUSE = "warehouse"
_BILLING = "billing application"


@dataclass(frozen=True)
class DatabaseState:
    """State of a database.

    Attributes:
        name: Its role.
        address: URL without the password; empty if none is configured.
        fault: Why it does not answer; empty if it does or was not tested.
        skipped: Why it was not tested; empty if it was.
    """

    name: str
    address: str
    fault: str
    skipped: str = ""


@dataclass(frozen=True)
class HealthFinding:
    """Invariant of the ledger, and the number of rows that violate it."""

    name: str
    holds: str
    rows: int


@dataclass
class HealthReport:
    """Result of the check; data, findings and speed are empty if the warehouse does not answer."""

    services: list[DatabaseState] = field(default_factory=list)
    incidents: list[Incident] = field(default_factory=list)
    rows: dict[str, int] = field(default_factory=dict)
    months_loaded: dict[str, int] = field(default_factory=dict)
    months_expected: int = 0
    rejected: list[tuple[str, str, int, str]] = field(default_factory=list)
    findings: list[HealthFinding] = field(default_factory=list)
    query_ms: dict[str, float] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    @property
    def healthy(self) -> bool:
        """Whether no problem was found."""
        return not self.problems


@dataclass(frozen=True)
class Section:
    """Section of the report, as a table."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[object]]


def check_health(databases: Databases, wanted: tuple[int, ...] | None, progress: ProgressCallback) -> HealthReport:
    """Check the system, for all customers or only the wanted ones, without starting or changing anything.

    Raises:
        UnknownCustomerError: there is no such customer. This is not checked while a database is unreachable.
    """
    found = HealthReport()
    steps = len(INVARIANTS) + 3
    progress("databases", 0, steps)
    _services(databases, found)
    faulty = {service.name for service in found.services if service.fault}
    if _WAREHOUSE in faulty:
        return found
    try:
        if wanted is not None and _BILLING not in faulty:
            databases.check_customers_exist(wanted)
        with databases.warehouse.connect() as connection:
            _incidents(connection, wanted, found)
            progress("data", 1, steps)
            _data(databases, connection, wanted, found)
            _accuracy(databases, connection, wanted, found, lambda name, at: progress(name, 2 + at, steps))
            progress("queries", steps - 1, steps)
            found.query_ms = measure_queries(connection, wanted)
    except exc.ProgrammingError as error:
        fault = first_line(error.orig or error)
        found.problems.append(
            f"The schema of the warehouse is not the one this program expects ({fault}). Run: ledger db upgrade"
        )
    progress("done", steps, steps)
    return found


def _services(databases: Databases, found: HealthReport) -> None:
    settings = databases.settings
    for name, url in (
        (_WAREHOUSE, database_urls.warehouse_url(settings)),
        ("Dagster", database_urls.dagster_storage_url(settings)),
    ):
        fault = connection_error(url) or ""
        found.services.append(DatabaseState(name, mask_url(url.set(drivername="postgresql")), fault))
    billing = database_urls.billing_url(settings)
    try:
        fault = "" if databases.billing_app().has_customers() else "no customers found"
    except SourceError as error:
        fault = str(error)
    found.services.append(DatabaseState(_BILLING, mask_url(billing), fault))
    found.services.append(_erp(settings))
    found.problems += [f"{service.name}: {service.fault}" for service in found.services if service.fault]


def _erp(settings: Settings) -> DatabaseState:
    if not database_urls.has_erp(settings):
        return DatabaseState("ERP", "", "", skipped="not configured (LEDGER_ERP_URL is not set)")
    address, fault = database_urls.erp_url(settings), ""
    try:
        engine = erp_engine(address)
        try:
            ErpSource(engine, statement_seconds=CONNECT_SECONDS).connect().leave(usable=True)
        finally:
            engine.dispose()
    except SourceError as error:
        fault = str(error)
    return DatabaseState("ERP", mask_url(address), fault)


def _incidents(connection: sa.Connection, wanted: tuple[int, ...] | None, found: HealthReport) -> None:
    """Add the open incidents: those of the wanted customers, and those of no particular customer."""
    for incident in open_incidents(connection):
        if wanted is None or not incident.customers or not set(wanted).isdisjoint(incident.customers):
            found.incidents.append(incident)
            found.problems.append(f"Incident {incident.id} is open: {incident.title}: {incident.reason}")


def _data(databases: Databases, connection: sa.Connection, wanted: tuple[int, ...] | None, found: HealthReport) -> None:
    found.rows = dict(connection.execute(row_counts(wanted)).one()._mapping)
    horizon = databases.horizon()
    found.months_expected = len(horizon.months)
    computed = is_computed(connection)
    if not computed:
        found.problems.append(f"The ledger has never been computed. Run: {COMPUTE_COMMAND}")
    for table in LEDGER_TABLES:
        behind = unwritten_months(connection, horizon, table)
        found.months_loaded[table.name] = found.months_expected - len(behind)
        allowance = _TURN if table is monthly_customer_balances else _READ
        begun_before = month_of(datetime.now(horizon.zone) - allowance, horizon.zone)
        late = sum(month <= begun_before for month in behind)
        if computed and late:
            found.problems.append(
                f"{table.name}: months that have never been computed: {late}. Run: ledger balance sync --all"
            )
    if wanted is None:
        for table in _REJECTING:
            for row in connection.execute(rejections_by_reason(table.name)):
                found.rejected.append((table.name, row.reason, row.rows, row.example))
    elif computed and not found.rows[monthly_customer_balances.name]:
        found.problems.append(f"There are no balances of customer {', '.join(str(customer) for customer in wanted)}.")


def _accuracy(
    databases: Databases,
    connection: sa.Connection,
    wanted: tuple[int, ...] | None,
    found: HealthReport,
    progress: Callable[[str, int], None],
) -> None:
    for at, invariant in enumerate(INVARIANTS):
        progress(invariant.name.replace("_", " "), at)
        rows = count_findings(connection, invariant, CheckScope(databases.horizon(), wanted))
        found.findings.append(HealthFinding(invariant.name, invariant.description, rows))
        if rows:
            found.problems.append(
                f"{invariant.name}: violations of the rule: {rows:,}. The rule: {invariant.description}"
            )


def measure_queries(connection: sa.Connection, wanted: tuple[int, ...] | None = None) -> dict[str, float]:
    """Measure the two most frequent queries, in ms: a customer's balance, and its transactions of a month."""
    newest_query = sa.select(monthly_customer_balances.c.customer_id, monthly_customer_balances.c.year_month)
    if wanted is not None:
        newest_query = newest_query.where(monthly_customer_balances.c.customer_id.in_(wanted))
    newest_balance = connection.execute(
        newest_query.order_by(monthly_customer_balances.c.year_month.desc()).limit(1)
    ).first()
    if newest_balance is None:
        return {}
    of_month = {"customer_id": newest_balance.customer_id, "month": newest_balance.year_month}
    queries = {
        "balance of a customer": customer_queries.BALANCE.params(of_month),
        "transactions of a customer in a month": customer_queries.TRANSACTIONS.params(of_month),
    }
    return {
        name: round(median(_milliseconds(connection, query) for _ in range(_REPETITIONS)), 2)
        for name, query in queries.items()
    }


def _milliseconds(connection: sa.Connection, query: sa.Select[Any]) -> float:
    started = time.perf_counter()
    connection.execute(query).all()
    return (time.perf_counter() - started) * 1000


def report_sections(found: HealthReport) -> list[Section]:
    """Return the report as tables."""
    services = [
        (service.name, service.address, service.fault or service.skipped or "answers") for service in found.services
    ]
    data: list[tuple[object, ...]] = [
        (name, rows, f"{found.months_loaded[name]} of {found.months_expected}" if name in found.months_loaded else "")
        for name, rows in found.rows.items()
    ]
    incidents = [tuple(getattr(incident, name) for name in _OF_INCIDENT.values()) for incident in found.incidents]
    parts = [
        Section("Databases", ("database", "address", "state"), services),
        Section("Incidents", tuple(_OF_INCIDENT), incidents),
        Section("Data", ("table", "rows", "months computed"), data),
        Section("Rejected rows", ("table", "reason", "rows", "example"), found.rejected),
        Section(
            "Accuracy",
            ("rule", "violations", "result"),
            [(finding.holds, finding.rows, "violated" if finding.rows else "holds") for finding in found.findings],
        ),
        Section("Query speed", ("query", "median, ms"), list(found.query_ms.items())),
        Section("Problems", ("problem",), [(problem,) for problem in found.problems]),
    ]
    return [part for part in parts if part.rows]


def report_as_json(found: HealthReport) -> dict[str, Any]:
    """Return the report as JSON."""
    names = ("asset", "reason", "rows", "example")
    return {
        "success": found.healthy,
        **asdict(found),
        "rejected": [dict(zip(names, row, strict=True)) for row in found.rejected],
    }
