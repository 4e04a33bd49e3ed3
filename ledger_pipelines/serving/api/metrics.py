"""/metrics for Prometheus: request metrics of this process, and pipeline metrics queried at each scrape."""

import time
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal

from fastapi import APIRouter, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ledger_pipelines.serving.web.context import AppContext
from ledger_pipelines.serving.web.errors import error_responses
from ledger_pipelines.serving.web.guarded_route import GuardedRoute
from ledger_pipelines.serving.web.status import ledger_status
from ledger_pipelines.warehouse.queries.pipeline import PipelineMetrics, SyncTotals, pipeline_metrics
from ledger_pipelines.warehouse.schema import WarehouseError

_NO_ROUTE = "(none)"

router = APIRouter(
    prefix="/metrics", tags=["health"], route_class=GuardedRoute, responses=error_responses(401, 403, 422, 429, 503)
)


class RequestMetrics:
    """Request counters of one application, in a separate registry."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "ledger_http_requests",
            "HTTP requests by route and status.",
            ("method", "route", "status"),
            registry=self.registry,
        )
        self.seconds = Histogram(
            "ledger_http_request_seconds",
            "Duration of HTTP requests in seconds.",
            ("method", "route"),
            registry=self.registry,
        )


class MetricsMiddleware:
    """Middleware that measures requests by route; labels never contain text from the client."""

    def __init__(self, app: ASGIApp, metrics: RequestMetrics) -> None:
        self._app, self._metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started, status = time.perf_counter(), 500

        async def send_recording_status(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, send_recording_status)
        finally:
            route = getattr(scope.get("route"), "path", _NO_ROUTE)
            method = scope["method"] if route != _NO_ROUTE else _NO_ROUTE
            self._metrics.requests.labels(method, route, str(status)).inc()
            self._metrics.seconds.labels(method, route).observe(time.perf_counter() - started)


class PipelineCollector(Collector):
    """Collector that queries the state of the pipeline at each scrape."""

    def __init__(self, app_context: AppContext) -> None:
        self._app_context = app_context

    def collect(self) -> Iterable[Metric]:
        """Yield the metrics; without a warehouse, only `ledger_dagster_up` and `ledger_warehouse_up`."""
        yield _gauge("ledger_dagster_up", "1 if Dagster answers, else 0.", int(self._app_context.dagster_is_up()))
        try:
            status = ledger_status(self._app_context)
            with self._app_context.snapshot() as connection:
                found = pipeline_metrics(connection, self._app_context.settings.realtime_objective_seconds * 1000)
        except WarehouseError:
            yield _gauge("ledger_warehouse_up", "1 if the warehouse answers, else 0.", 0)
            return
        yield _gauge("ledger_warehouse_up", "1 if the warehouse answers, else 0.", 1)
        numbers = status.statistics
        yield _gauge("ledger_balances", "Monthly balances in the ledger.", numbers.total_monthly_balances)
        yield _gauge("ledger_transactions", "Transactions in the ledger.", numbers.total_transaction_calculations)
        yield _gauge("ledger_customers", "Customers with a balance.", numbers.active_customers)
        yield from _of_pipeline(found)


def _of_pipeline(found: PipelineMetrics) -> Iterable[Metric]:
    yield _gauge("ledger_pending_changes", "Changes in the queue, not yet applied.", found.freshness.pending)
    yield _gauge("ledger_held_changes", "Changes held until their customers are released.", found.freshness.held)
    yield _gauge("ledger_stale_months", "Months waiting for recalculation.", found.freshness.stale)
    yield _gauge("ledger_realtime_batches", "Batches of changes applied in the last 30 days.", found.batches)
    yield _gauge("ledger_realtime_changes", "Changes applied in the last 30 days.", found.changes)
    if (age := found.freshness.oldest_pending_seconds) is not None:
        yield _gauge("ledger_oldest_pending_change_seconds", "Age of the oldest queued change.", age)
    if found.last_sync_seconds is not None:
        yield _gauge(
            "ledger_last_sync_age_seconds", "Seconds since the last completed sync ended.", found.last_sync_seconds
        )
    by_kind = [((kind,), count) for kind, count in found.open_incidents.items()]
    yield _gauges("ledger_open_incidents", "Open incidents by kind.", ("kind",), by_kind)
    if found.oldest_incident_seconds is not None:
        yield _gauge(
            "ledger_oldest_open_incident_seconds", "Age of the oldest open incident.", found.oldest_incident_seconds
        )
    if (took := found.latency) is not None:
        shares = (("0.5", took.median), ("0.95", took.p95), ("1", took.maximum))
        seconds = [((share,), Decimal(ms) / 1000) for share, ms in shares]
        yield _gauges(
            "ledger_realtime_latency_seconds", "Latency from change to balance, last hour.", ("quantile",), seconds
        )
    rejected = [((asset,), rows) for asset, rows in found.rejected.items()]
    yield _gauges("ledger_rejected_rows", "Rejected source rows by asset.", ("asset",), rejected)
    yield from _of_syncs(found.syncs)


def _of_syncs(syncs: Mapping[tuple[str, str], SyncTotals]) -> Iterable[Metric]:
    kinds = ("type", "status")
    runs = [(kind, of.runs) for kind, of in syncs.items()]
    yield _gauges("ledger_syncs", "ERP syncs by type and status.", kinds, runs)
    seconds = [(kind, of.seconds) for kind, of in syncs.items()]
    yield _gauges("ledger_sync_seconds", "Total duration of the ERP syncs in seconds.", kinds, seconds)
    rows = [
        ((*kind, outcome), count)
        for kind, of in syncs.items()
        for outcome, count in (("loaded", of.rows_loaded), ("rejected", of.rows_rejected))
    ]
    yield _gauges("ledger_sync_rows", "Rows read by the ERP syncs.", (*kinds, "outcome"), rows)


def _gauge(name: str, help_text: str, value: float | Decimal) -> Metric:
    return GaugeMetricFamily(name, help_text, value=float(value))


def _gauges(
    name: str, help_text: str, labels: Sequence[str], values: Iterable[tuple[Sequence[str], int | Decimal]]
) -> Metric:
    family = GaugeMetricFamily(name, help_text, labels=labels)
    for kind, value in values:
        family.add_metric(kind, float(value))
    return family


@router.get("", response_class=Response, responses={200: {"content": {"text/plain": {}}}})
def metrics(request: Request) -> Response:
    """Return all metrics in the Prometheus text format."""
    request_metrics: RequestMetrics = request.app.state.metrics
    return Response(generate_latest(request_metrics.registry), media_type=CONTENT_TYPE_LATEST)
