"""Pages of incidents: history, and confirmation of refused deletions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated

import sqlalchemy as sa
from fastapi import APIRouter, Form, Path, Response
from fastapi.responses import RedirectResponse

from ledger_pipelines import ids
from ledger_pipelines.serving.dashboard.navigation import NavEntry
from ledger_pipelines.serving.dashboard.pages.parameters import PER_PAGE, PageNumber, build_path
from ledger_pipelines.serving.dashboard.rendering import render_page
from ledger_pipelines.serving.dashboard.routes import GuardedPage, RequestContextDep
from ledger_pipelines.serving.web.errors import ApiError, not_found
from ledger_pipelines.serving.web.parameters import Id, WholeNumber
from ledger_pipelines.warehouse.engine import translate_connection_errors
from ledger_pipelines.warehouse.ops import incidents
from ledger_pipelines.warehouse.ops.confirmations import confirm_refused_deletion
from ledger_pipelines.warehouse.ops.incidents import Incident, open_incidents
from ledger_pipelines.warehouse.queries.confirmed_deletions import DeletionConfirmation, valid_confirmations
from ledger_pipelines.warehouse.queries.paging import ResultPage, page_offset

router = APIRouter(prefix="/incidents", route_class=GuardedPage)
_NAV = NavEntry(4, "/incidents", "incidents.title")
_MAX_SHOWN = 10


@dataclass(frozen=True)
class OpenIncidents:
    """Open incidents for the overview.

    Attributes:
        total: Number of open incidents.
        shown: The oldest of them.
        confirmed: Confirmations of refused deletions, by incident id.
    """

    total: int
    shown: Sequence[Incident]
    confirmed: Mapping[int, DeletionConfirmation]


def load_open_incidents(connection: sa.Connection) -> OpenIncidents:
    """Return the open incidents, oldest first."""
    found = open_incidents(connection)
    shown = found[:_MAX_SHOWN]
    return OpenIncidents(len(found), shown, valid_confirmations(connection, shown))


@router.get("")
def history(context: RequestContextDep, number: PageNumber = 1) -> Response:
    """Show open and closed incidents, newest first."""
    with context.app_context.snapshot() as connection:
        newest = incidents.newest_incidents(connection, PER_PAGE, page_offset(number, PER_PAGE))
        total = incidents.count(connection)
    return render_page(
        context,
        "incidents.html",
        nav_entry=_NAV,
        incidents=ResultPage(newest, number, PER_PAGE, total),
        page_path=lambda to: build_path("/incidents", page=to),
    )


@router.post("/{id}/confirm")
def confirm_deletion(
    context: RequestContextDep,
    incident_id: Annotated[Id, Path(alias="id")],
    rows: Annotated[int, WholeNumber(1, ids.LARGEST), Form()],
) -> Response:
    """Confirm the deletion of an incident, if it still concerns as many rows as the page has shown."""
    warehouse = context.app_context.warehouse
    with translate_connection_errors(warehouse), warehouse.begin() as connection:
        incident = incidents.get_incident(connection, incident_id)
        if incident is None:
            raise not_found(context.translate.plain("incidents.unknown", id=incident_id))
        if incident.rows_to_confirm not in (rows, 0):
            raise ApiError(409, context.translate.plain("incidents.changed"))
        confirm_refused_deletion(connection, incident, context.caller.name if context.caller else "")
    return RedirectResponse("/", 303)
