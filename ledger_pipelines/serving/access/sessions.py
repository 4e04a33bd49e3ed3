"""Sessions of the dashboard: opened with a token, ended by logging out or with it.

The browser's secret has 256 random bits; the warehouse keeps its SHA-256. What a form carries is derived from the
secret, so a page of somebody else's cannot know it, and whoever sees a form cannot take over the session.
"""

import hashlib
import hmac
import secrets

import sqlalchemy as sa

from ledger_pipelines.serving.access.tokens import Caller
from ledger_pipelines.warehouse import sessions

HOURS = 12
_SECRET_BYTES = 32
_FORM = b"form"


def new_secret() -> str:
    """A secret for a browser to keep."""
    return secrets.token_urlsafe(_SECRET_BYTES)


def open_session(connection: sa.Connection, caller: Caller) -> str:
    """Open a session for who has shown a valid token; the secret for the browser."""
    secret = new_secret()
    sessions.add(connection, caller.token_id, _digest(secret), HOURS)
    return secret


def session_of(connection: sa.Connection, secret: str) -> Caller | None:
    """Whose session it is; None if it is over or there never was one."""
    found = sessions.by_digest(connection, _digest(secret))
    return None if found is None else Caller(found.token_id, found.name, found.role)


def close_session(connection: sa.Connection, secret: str) -> None:
    """End a session."""
    sessions.remove(connection, _digest(secret))


def form_token(secret: str) -> str:
    """What the forms of a browser with this secret carry."""
    return hmac.new(secret.encode(), _FORM, hashlib.sha256).hexdigest()


def belongs(secret: str, given: str) -> bool:
    """Whether what a form carries is of a browser with this secret; compared in a time that tells nothing."""
    return hmac.compare_digest(form_token(secret).encode(), given.encode())


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()
