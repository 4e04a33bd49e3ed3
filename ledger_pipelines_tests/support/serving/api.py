"""API for tests: in this process, on an existing warehouse, with a token for each kind of caller."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import orjson
import sqlalchemy as sa
from starlette.testclient import TestClient

from ledger_pipelines.serving.access import tokens
from ledger_pipelines.serving.app import api_routers, create_app
from ledger_pipelines.serving.web.context import AppContext
from ledger_pipelines.serving.web.guarded_route import GuardedRoute
from ledger_pipelines.settings import Settings
from ledger_pipelines.warehouse.ops import api_tokens
from ledger_pipelines.warehouse.tables import api_tokens as table


def guarded_api_paths(method: str, customer_id: int) -> list[str]:
    """Return the paths of the API that require a token, of a customer where they name one."""
    routes = [route for router in api_routers() for route in router.routes if isinstance(route, GuardedRoute)]
    return [route.path.replace("{id}", str(customer_id)) for route in routes if method in (route.methods or ())]


def bearer(token: str) -> dict[str, str]:
    """Return the header that carries a token."""
    return {"Authorization": f"Bearer {token}"}


@dataclass(frozen=True)
class Callers:
    """One token of each kind."""

    viewer: str
    admin: str
    expired: str
    revoked: str


@dataclass(frozen=True)
class ApiUnderTest:
    """API under test, and the tokens of its callers."""

    client: TestClient
    callers: Callers
    warehouse: sa.Engine
    settings: Settings

    @property
    def context(self) -> AppContext:
        """State of the application."""
        context: AppContext = self.client.app.state.app_context  # type: ignore[attr-defined] # the client has any ASGI application
        return context

    def get(self, path: str, expect: int = 200, **parameters: str | int) -> Any:
        """Send a GET as viewer, check the status, and return the JSON."""
        response = self.client.get(path, headers=bearer(self.callers.viewer), params=parameters or None)
        assert response.status_code == expect, response.text
        assert response.headers["content-type"] == "application/json"
        return orjson.loads(response.content)

    def post(self, path: str, expect: int = 200, **body: object) -> Any:
        """Send a POST as admin, check the status, and return the JSON."""
        response = self.client.post(path, headers=bearer(self.callers.admin), json=body or None)
        assert response.status_code == expect, response.text
        assert response.headers["content-type"] == "application/json"
        return orjson.loads(response.content)


def create_callers(warehouse: sa.Engine) -> Callers:
    """Create one token of each kind."""
    with warehouse.begin() as connection:
        created = {
            name: tokens.create(connection, name, "viewer" if name == "viewer" else "admin", 1)
            for name in Callers.__dataclass_fields__
        }
        api_tokens.revoke(connection, "revoked")
        past = sa.func.now() - sa.text("interval '1 second'")
        connection.execute(sa.update(table).where(table.c.name == "expired").values(expires_at=past))
    return Callers(**{name: token.text for name, token in created.items()})


@contextmanager
def running_api(settings: Settings) -> Iterator[ApiUnderTest]:
    """Yield an API with these settings on their existing warehouse; delete its tokens afterwards."""
    app = create_app(settings)
    warehouse: sa.Engine = app.state.app_context.warehouse
    callers = create_callers(warehouse)
    try:
        with TestClient(app, raise_server_exceptions=False) as client:
            yield ApiUnderTest(client, callers, warehouse, settings)
    finally:
        with warehouse.begin() as connection:
            connection.execute(sa.text("DELETE FROM ops.audit_log"))
            connection.execute(sa.delete(table))
        warehouse.dispose()
