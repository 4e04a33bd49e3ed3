"""Tokens: how one is made, and how one that is shown is checked.

A token looks like `ledger_3f9c0d2a71be_Zk3…`: its prefix, by which it is found, and its secret of 256 random bits. Only
the secret's SHA-256 is kept. A slow hash would add nothing: it protects what people think of, which can be guessed, and
would cost each request what it costs the thief of the table.
"""

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass

import sqlalchemy as sa

from ledger_pipelines.serving.errors import ServingError
from ledger_pipelines.warehouse import api_tokens
from ledger_pipelines.warehouse.api_tokens import Role, Token

_PREFIX_BYTES = 6
_SECRET_BYTES = 32
_TOKEN = re.compile(r"ledger_([0-9a-f]{12})_([A-Za-z0-9_-]{43})")
_NOBODYS = bytes(_SECRET_BYTES)


class TokenRefusedError(Exception):
    """A token that is shown is not accepted; the message says why, as far as its holder may know."""


@dataclass(frozen=True)
class Caller:
    """Whoever shows a valid token."""

    token_id: int
    name: str
    role: Role

    def may(self, role: Role) -> bool:
        """Whether the caller may do what needs a role: an admin may what a viewer may."""
        return role in (self.role, "viewer")


@dataclass(frozen=True)
class Created:
    """A token as it is given out: the only time that its text is known."""

    token: Token
    text: str


def create(connection: sa.Connection, name: str, role: Role, days: int | None = None) -> Created:
    """Make a token that expires after some days, or never.

    Raises:
        ServingError: another token of that name is not revoked.
    """
    prefix, secret = secrets.token_hex(_PREFIX_BYTES), secrets.token_urlsafe(_SECRET_BYTES)
    token = api_tokens.add(connection, name, role, prefix, _digest(secret), days)
    if token is None:
        raise ServingError(
            f"There is a token called {name!r} already. Choose another name, or revoke that one: "
            f"ledger token revoke {name!r}"
        )
    return Created(token, f"ledger_{prefix}_{secret}")


def authenticate(connection: sa.Connection, text: str) -> Caller:
    """Whose token this is; that it is used is noted.

    Raises:
        TokenRefusedError: nobody's, or it is expired or revoked.
    """
    parts = _TOKEN.fullmatch(text)
    kept = api_tokens.by_prefix(connection, parts[1]) if parts else None
    # Compared even where there is nothing to compare with, in a time that tells nothing.
    same = hmac.compare_digest(_digest(parts[2] if parts else text), kept.digest if kept else _NOBODYS)
    if kept is None or not same:
        raise TokenRefusedError("The token is not known.")
    token = kept.token
    if token.state == "revoked":
        raise TokenRefusedError(f"The token was revoked at {token.revoked_at:%Y-%m-%d %H:%M}.")
    if token.state == "expired":
        raise TokenRefusedError(f"The token expired at {token.expires_at:%Y-%m-%d %H:%M}.")
    if not kept.noted:
        api_tokens.used(connection, token.id)
    return Caller(token.id, token.name, token.role)


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()
