"""/metrics for Prometheus: what the API does, measured as it goes, and how the pipeline is, looked up when asked."""

import time
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal

from fastapi import APIRouter, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ledger_pipelines.serving.api.errors import documented
from ledger_pipelines.serving.api.guard import GuardedRoute
from ledger_pipelines.serving.api.parts import Parts
from ledger_pipelines.serving.api.status import status_of
from ledger_pipelines.warehouse.questions.pipeline import Pipeline, Syncs, pipeline
from ledger_pipelines.warehouse.schema import WarehouseError

_NOWHERE = "(none)"

router = APIRouter(tags=["health"], route_class=GuardedRoute, responses=documented(401, 403, 422, 429, 503))


class Metrics:
    """What one API counts, in a registry of its own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "ledger_http_requests", "Requests answered.", ("method", "route", "status"), registry=self.registry
        )
        self.seconds = Histogram(
            "ledger_http_request_seconds", "How long requests took.", ("method", "route"), registry=self.registry
        )


class Measured:
    """Counts requests by their route, never by what a stranger writes."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app, self._metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started, status = time.perf_counter(), 500

        async def send_noted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, send_noted)
        finally:
            route = getattr(scope.get("route"), "path", _NOWHERE)
            method = scope["method"] if route != _NOWHERE else _NOWHERE
            self._metrics.requests.labels(method, route, str(status)).inc()
            self._metrics.seconds.labels(method, route).observe(time.perf_counter() - started)


class PipelineCollector(Collector):
    """Looks up how the pipeline is, each time that somebody asks for the metrics."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def collect(self) -> Iterable[Metric]:
        """The metrics; of a warehouse that is away, that it is."""
        yield _gauge("ledger_dagster_up", "Whether Dagster answers.", int(self._parts.dagster_answers()))
        try:
            status = status_of(self._parts)
            with self._parts.snapshot() as connection:
                found = pipeline(connection, self._parts.settings.realtime_objective_seconds * 1000)
        except WarehouseError:
            yield _gauge("ledger_warehouse_up", "Whether the warehouse answers.", 0)
            return
        yield _gauge("ledger_warehouse_up", "Whether the warehouse answers.", 1)
        numbers = status.statistics
        yield _gauge("ledger_balances", "Monthly balances computed.", numbers.total_monthly_balances)
        yield _gauge("ledger_transactions", "Transactions computed.", numbers.total_transaction_calculations)
        yield _gauge("ledger_customers", "Customers that have a balance.", numbers.active_customers)
        yield from _of_pipeline(found)


def _of_pipeline(found: Pipeline) -> Iterable[Metric]:
    yield _gauge("ledger_pending_changes", "Changes that wait to be taken up.", found.pending)
    yield _gauge("ledger_held_changes", "Changes put aside until their customers are released.", found.held)
    yield _gauge("ledger_stale_months", "Months that are to be recalculated.", found.stale_months)
    yield _gauge("ledger_realtime_batches", "Batches of changes taken up in 30 days.", found.batches)
    yield _gauge("ledger_realtime_changes", "Changes taken up in 30 days.", found.changes)
    if found.oldest_pending_seconds is not None:
        yield _gauge("ledger_oldest_pending_change_seconds", "Age of the oldest of them.", found.oldest_pending_seconds)
    if found.last_sync_seconds is not None:
        yield _gauge("ledger_last_sync_age_seconds", "Since the last completed sync ended.", found.last_sync_seconds)
    by_kind = [((kind,), count) for kind, count in found.open_incidents.items()]
    yield _gauges("ledger_open_incidents", "What is wrong and waits for a person, by kind.", ("kind",), by_kind)
    if found.oldest_incident_seconds is not None:
        yield _gauge("ledger_oldest_open_incident_seconds", "Age of the oldest of them.", found.oldest_incident_seconds)
    if (took := found.latency) is not None:
        shares = (("0.5", took.half), ("0.95", took.most), ("1", took.longest))
        seconds = [((share,), Decimal(ms) / 1000) for share, ms in shares]
        yield _gauges("ledger_realtime_latency_seconds", "Change to balance, last hour.", ("quantile",), seconds)
    rejected = [((asset,), rows) for asset, rows in found.rejected.items()]
    yield _gauges("ledger_rejected_rows", "Source rows that cannot be used, by asset.", ("asset",), rejected)
    yield from _of_syncs(found.syncs)


def _of_syncs(syncs: Mapping[tuple[str, str], Syncs]) -> Iterable[Metric]:
    kinds = ("type", "status")
    runs = [(kind, of.runs) for kind, of in syncs.items()]
    yield _gauges("ledger_syncs", "Syncs of the ERP.", kinds, runs)
    seconds = [(kind, of.seconds) for kind, of in syncs.items()]
    yield _gauges("ledger_sync_seconds", "How long they took together.", kinds, seconds)
    rows = [
        ((*kind, outcome), count)
        for kind, of in syncs.items()
        for outcome, count in (("loaded", of.rows_loaded), ("rejected", of.rows_rejected))
    ]
    yield _gauges("ledger_sync_rows", "Rows that they read.", (*kinds, "outcome"), rows)


def _gauge(name: str, meaning: str, value: int | Decimal) -> Metric:
    return GaugeMetricFamily(name, meaning, value=float(value))


def _gauges(
    name: str, meaning: str, labels: Sequence[str], values: Iterable[tuple[Sequence[str], int | Decimal]]
) -> Metric:
    family = GaugeMetricFamily(name, meaning, labels=labels)
    for kind, value in values:
        family.add_metric(kind, float(value))
    return family


@router.get("/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}})
def metrics(request: Request) -> Response:
    """What Prometheus asks for; with a viewer's token, as everything that tells figures."""
    found: Metrics = request.app.state.metrics
    return Response(generate_latest(found.registry), media_type=CONTENT_TYPE_LATEST)
