"""An API of its own for a test: in this process, on a warehouse that is there, with a token for each kind of caller."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import orjson
import sqlalchemy as sa
from starlette.testclient import TestClient

from ledger_pipelines.serving.access import tokens
from ledger_pipelines.serving.api.app import create_app
from ledger_pipelines.serving.api.parts import Parts
from ledger_pipelines.settings import Settings
from ledger_pipelines.warehouse import api_tokens
from ledger_pipelines.warehouse.tables import api_tokens as table


def bearer(token: str) -> dict[str, str]:
    """The header by which a token is shown."""
    return {"Authorization": f"Bearer {token}"}


@dataclass(frozen=True)
class Callers:
    """A token of each kind."""

    viewer: str
    admin: str
    expired: str
    revoked: str


@dataclass(frozen=True)
class Api:
    """An API, and who may ask it."""

    client: TestClient
    callers: Callers
    warehouse: sa.Engine
    settings: Settings

    @property
    def parts(self) -> Parts:
        """What the API is made of."""
        parts: Parts = self.client.app.state.parts  # type: ignore[attr-defined] # any ASGI application to a type checker
        return parts

    def ask(self, path: str, expect: int = 200, **parameters: str | int) -> Any:
        """What a viewer is answered."""
        answer = self.client.get(path, headers=bearer(self.callers.viewer), params=parameters or None)
        assert answer.status_code == expect, answer.text
        assert answer.headers["content-type"] == "application/json"
        return orjson.loads(answer.content)

    def act(self, path: str, expect: int = 200, **body: object) -> Any:
        """What an admin is answered."""
        answer = self.client.post(path, headers=bearer(self.callers.admin), json=body or None)
        assert answer.status_code == expect, answer.text
        assert answer.headers["content-type"] == "application/json"
        return orjson.loads(answer.content)


def new_callers(warehouse: sa.Engine) -> Callers:
    """A token of each kind."""
    with warehouse.begin() as connection:
        made = {
            name: tokens.create(connection, name, "viewer" if name == "viewer" else "admin", 1)
            for name in Callers.__dataclass_fields__
        }
        api_tokens.revoke(connection, "revoked")
        past = sa.func.now() - sa.text("interval '1 second'")
        connection.execute(sa.update(table).where(table.c.name == "expired").values(expires_at=past))
    return Callers(**{name: token.text for name, token in made.items()})


@contextmanager
def new_api(settings: Settings) -> Iterator[Api]:
    """An API of some settings, whose warehouse is there; its tokens are gone afterwards."""
    app = create_app(settings)
    warehouse: sa.Engine = app.state.parts.warehouse
    callers = new_callers(warehouse)
    try:
        with TestClient(app, raise_server_exceptions=False) as client:
            yield Api(client, callers, warehouse, settings)
    finally:
        with warehouse.begin() as connection:
            connection.execute(sa.text("DELETE FROM ops.audit_log"))
            connection.execute(sa.delete(table))
        warehouse.dispose()
