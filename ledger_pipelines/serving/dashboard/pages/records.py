"""Lists: low balances, rejected rows, the audit log."""

from functools import partial
from typing import Annotated

from fastapi import APIRouter, Query, Response

from ledger_pipelines.serving.dashboard.pages.parameters import PER_PAGE, Number, path_with
from ledger_pipelines.serving.dashboard.rendering import page
from ledger_pipelines.serving.dashboard.shell import GuardedPage, Visited, demand_admin
from ledger_pipelines.serving.dashboard.words.reasons import in_words
from ledger_pipelines.warehouse import audit
from ledger_pipelines.warehouse.questions.low_balances import alerts
from ledger_pipelines.warehouse.questions.paging import Paged, offset
from ledger_pipelines.warehouse.questions.rejections import Rejections, rejected, rejections

router = APIRouter(route_class=GuardedPage)
_Choice = Annotated[str, Query(max_length=1000)]


@router.get("/alerts")
def low_balances(visit: Visited, number: Number = 1, cleared: _Choice = "") -> Response:
    """Whose balance is low; with `cleared` also whose was."""
    also_cleared = cleared == "yes"
    with visit.parts.snapshot() as connection:
        found = alerts(connection, cleared=also_cleared, number=number, per_page=PER_PAGE)

    def path(to: int) -> str:
        return path_with("/alerts", cleared="yes" if also_cleared else None, page=to)

    return page(visit, "alerts.html", here="alerts", alerts=found, cleared=also_cleared, page_path=path)


@router.get("/rejected")
def rejected_rows(visit: Visited, number: Number = 1, asset: _Choice = "", reason: _Choice = "") -> Response:
    """Which rows of the sources cannot be used, and why."""
    asset, reason = (text.replace("\0", "") for text in (asset, reason))
    of, source_table, kind = _parts(reason)
    if asset not in ("", of):  # another asset was chosen since, which has reasons of its own
        of, source_table, kind, reason = asset, None, None, ""
    with visit.parts.snapshot() as connection:
        kinds = rejections(connection)
        rows = rejected(connection, asset=of, source_table=source_table, kind=kind, number=number, per_page=PER_PAGE)
    assets = sorted({kind.asset for kind in kinds})

    def path(to: int) -> str:
        return path_with("/rejected", asset=asset, reason=reason, page=to)

    return page(
        visit,
        "rejected.html",
        here="rejected",
        kinds=[kind for kind in kinds if asset in ("", kind.asset)],
        assets=assets,
        asset=asset,
        reason=reason,
        choice=_choice,
        rows=rows,
        reason_in_words=partial(in_words, visit.words.language),
        page_path=path,
    )


def _choice(found: Rejections) -> str:
    """The reason as an address has it: with asset and table, for the same may be wrong with rows of several."""
    return f"{found.asset}/{found.source_table}/{found.kind}"


def _parts(reason: str) -> tuple[str | None, str | None, str | None]:
    """Asset, table and kind of a reason out of an address; Nones if none was chosen."""
    if not reason:
        return None, None, None
    asset, _, rest = reason.partition("/")
    source_table, _, kind = rest.partition("/")
    return asset, source_table, kind


@router.get("/audit")
def audit_log(visit: Visited, number: Number = 1) -> Response:
    """Who asked for what."""
    demand_admin(visit)
    with visit.parts.snapshot() as connection:
        entries = audit.latest(connection, limit=PER_PAGE, offset=offset(number, PER_PAGE))
        total = audit.count(connection)

    def path(to: int) -> str:
        return path_with("/audit", page=to)

    found = Paged(entries, number, PER_PAGE, total)
    return page(visit, "audit.html", here="audit", entries=found, page_path=path)
