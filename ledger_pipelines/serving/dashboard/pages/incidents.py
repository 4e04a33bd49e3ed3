"""Incidents: their history, and confirming a deletion that was refused."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated

import sqlalchemy as sa
from fastapi import APIRouter, Form, Path, Response
from fastapi.responses import RedirectResponse

from ledger_pipelines.serving.api.errors import ApiError, not_found
from ledger_pipelines.serving.api.parameters import Whole
from ledger_pipelines.serving.dashboard.pages.parameters import PER_PAGE, Number, path_with
from ledger_pipelines.serving.dashboard.rendering import page
from ledger_pipelines.serving.dashboard.shell import GuardedPage, Visited
from ledger_pipelines.warehouse import incidents
from ledger_pipelines.warehouse.confirmations import NothingToConfirmError, confirm
from ledger_pipelines.warehouse.engine import reachable
from ledger_pipelines.warehouse.incidents import Incident, open_incidents
from ledger_pipelines.warehouse.questions.confirmed import Confirmed, confirmed
from ledger_pipelines.warehouse.questions.paging import Paged, offset

router = APIRouter(prefix="/incidents", route_class=GuardedPage)
_LARGEST = 2**63 - 1
_SHOWN = 10


@dataclass(frozen=True)
class OpenIncidents:
    """The open incidents as the overview shows them.

    Attributes:
        total: How many are open.
        shown: The oldest of them.
        confirmed: Confirmations of refused deletions, by the incident's number.
    """

    total: int
    shown: Sequence[Incident]
    confirmed: Mapping[int, Confirmed]


def open_now(connection: sa.Connection) -> OpenIncidents:
    """Return the open incidents, the oldest first."""
    found = open_incidents(connection)
    shown = found[:_SHOWN]
    return OpenIncidents(len(found), shown, confirmed(connection, shown))


@router.get("")
def history(visit: Visited, number: Number = 1) -> Response:
    """Show the incidents, open and closed, the newest first."""
    with visit.parts.snapshot() as connection:
        newest = incidents.newest_incidents(connection, PER_PAGE, offset(number, PER_PAGE))
        total = incidents.count(connection)

    def path(to: int) -> str:
        return path_with("/incidents", page=to)

    found = Paged(newest, number, PER_PAGE, total)
    return page(visit, "incidents.html", here="incidents", incidents=found, page_path=path)


@router.post("/{id}/confirm")
def confirm_deletion(
    visit: Visited,
    incident_id: Annotated[int, Whole(1, _LARGEST), Path(alias="id")],
    rows: Annotated[int, Whole(1, _LARGEST), Form()],
) -> Response:
    """Confirm the deletion that an incident names, if it is still of as many rows as the page has shown."""
    warehouse = visit.parts.warehouse
    with reachable(warehouse), warehouse.begin() as connection:
        incident = incidents.incident_of(connection, incident_id)
        if incident is None:
            raise not_found(visit.words.plain("incidents.unknown", id=incident_id))
        if incident.rows_to_confirm not in (rows, 0):
            raise ApiError(409, visit.words.plain("incidents.changed"))
        try:
            confirm(connection, incident, visit.caller.name if visit.caller else "")
        except NothingToConfirmError as error:
            raise ApiError(409, str(error)) from error
    return RedirectResponse("/", 303)
