"""Pages of lists: low balances, rejected rows, the audit log."""

from typing import Annotated

from fastapi import APIRouter, Query, Response

from ledger_pipelines.serving.dashboard.navigation import NavEntry
from ledger_pipelines.serving.dashboard.pages.parameters import PER_PAGE, PageNumber, build_path
from ledger_pipelines.serving.dashboard.rendering import render_page
from ledger_pipelines.serving.dashboard.routes import GuardedPage, RequestContextDep, require_admin
from ledger_pipelines.warehouse.ops import audit
from ledger_pipelines.warehouse.queries.customers.low_balances import alerts_page
from ledger_pipelines.warehouse.queries.paging import ResultPage, page_offset
from ledger_pipelines.warehouse.queries.rejections import RejectionCount, rejected_rows_page, rejection_counts

router = APIRouter(route_class=GuardedPage)
_ALERTS_NAV = NavEntry(5, "/alerts", "records.alerts")
_REJECTED_NAV = NavEntry(6, "/rejected", "records.rejected")
_AUDIT_NAV = NavEntry(9, "/audit", "records.audit", for_admins=True)
_FilterValue = Annotated[str, Query(max_length=1000)]


@router.get("/alerts")
def low_balances(context: RequestContextDep, number: PageNumber = 1, cleared: _FilterValue = "") -> Response:
    """Show open alerts of low balances; with `cleared` also those that have recovered."""
    also_cleared = cleared == "yes"
    with context.app_context.snapshot() as connection:
        found = alerts_page(connection, include_cleared=also_cleared, number=number, per_page=PER_PAGE)
    return render_page(
        context,
        "alerts.html",
        nav_entry=_ALERTS_NAV,
        alerts=found,
        cleared=also_cleared,
        page_path=lambda to: build_path("/alerts", cleared="yes" if also_cleared else None, page=to),
    )


@router.get("/rejected")
def rejected_rows(
    context: RequestContextDep, number: PageNumber = 1, asset: _FilterValue = "", reason: _FilterValue = ""
) -> Response:
    """Show rejected source rows with their reasons."""
    asset, reason = (text.replace("\0", "") for text in (asset, reason))
    chosen_asset, source_table, kind = _parse_choice(reason)
    if asset not in ("", chosen_asset):  # the reason belongs to a previously chosen asset
        chosen_asset, source_table, kind, reason = asset, None, None, ""
    with context.app_context.snapshot() as connection:
        kinds = rejection_counts(connection)
        rows = rejected_rows_page(
            connection, asset=chosen_asset, source_table=source_table, kind=kind, number=number, per_page=PER_PAGE
        )
    assets = sorted({kind.asset for kind in kinds})
    return render_page(
        context,
        "rejected.html",
        nav_entry=_REJECTED_NAV,
        kinds=[kind for kind in kinds if asset in ("", kind.asset)],
        assets=assets,
        asset=asset,
        reason=reason,
        choice_value=_choice_value,
        rows=rows,
        page_path=lambda to: build_path("/rejected", asset=asset, reason=reason, page=to),
    )


def _choice_value(found: RejectionCount) -> str:
    """Return the query parameter for a reason, with asset and table: several tables can have the same reason."""
    return f"{found.asset}/{found.source_table}/{found.kind}"


def _parse_choice(reason: str) -> tuple[str | None, str | None, str | None]:
    """Return asset, table and kind from the query parameter; None for each if no reason was chosen."""
    if not reason:
        return None, None, None
    asset, _, rest = reason.partition("/")
    source_table, _, kind = rest.partition("/")
    return asset, source_table, kind


@router.get("/audit")
def audit_log(context: RequestContextDep, number: PageNumber = 1) -> Response:
    """Show the audit log; for administrators only."""
    require_admin(context)
    with context.app_context.snapshot() as connection:
        entries = audit.latest(connection, limit=PER_PAGE, offset=page_offset(number, PER_PAGE))
        total = audit.count(connection)
    return render_page(
        context,
        "audit.html",
        nav_entry=_AUDIT_NAV,
        entries=ResultPage(entries, number, PER_PAGE, total),
        page_path=lambda to: build_path("/audit", page=to),
    )
