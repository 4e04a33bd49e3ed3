"""Dashboard sessions: opened with a token, ended by logging out, after `SESSION_HOURS`, or with the token.

The browser holds a secret of 256 random bits; the warehouse stores its SHA-256. Forms carry a token derived from the
secret: a page of another origin cannot know it, and the form token does not reveal the secret.
"""

import hashlib
import hmac
import secrets

import sqlalchemy as sa

from ledger_pipelines.serving.access.tokens import Caller
from ledger_pipelines.warehouse.ops import sessions

SESSION_HOURS = 12
_SECRET_BYTES = 32
_FORM = b"form"


def new_secret() -> str:
    """Return a new random secret for a browser's cookie."""
    return secrets.token_urlsafe(_SECRET_BYTES)


def open_session(connection: sa.Connection, caller: Caller) -> str:
    """Open a session for an authenticated caller; return the secret for the browser."""
    secret = new_secret()
    sessions.add(connection, caller.token_id, _digest(secret), SESSION_HOURS)
    return secret


def find_caller(connection: sa.Connection, secret: str) -> Caller | None:
    """Return the session's caller; None if the session has ended or never existed."""
    found = sessions.by_digest(connection, _digest(secret))
    return None if found is None else Caller(found.token_id, found.name, found.role)


def close_session(connection: sa.Connection, secret: str) -> None:
    """End a session."""
    sessions.remove(connection, _digest(secret))


def form_token(secret: str) -> str:
    """Return the CSRF token for the forms of a browser with this secret."""
    return hmac.new(secret.encode(), _FORM, hashlib.sha256).hexdigest()


def verify_form_token(secret: str, given: str) -> bool:
    """Return whether a form's CSRF token belongs to this secret, compared in constant time."""
    return hmac.compare_digest(form_token(secret).encode(), given.encode())


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()
