"""API tokens: creation and authentication.

A token looks like `ledger_3f9c0d2a71be_Zk3…`: a prefix for the lookup and a secret of 256 random bits. Only the
secret's SHA-256 is stored. A slow hash protects guessable passwords; a random secret does not need it, and every
request would pay its cost.
"""

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass

import sqlalchemy as sa

from ledger_pipelines.errors import LedgerError
from ledger_pipelines.serving.base.errors import ServingError
from ledger_pipelines.warehouse.ops import api_tokens
from ledger_pipelines.warehouse.ops.api_tokens import Role, Token

_PREFIX_BYTES = 6
_SECRET_BYTES = 32
_TOKEN = re.compile(r"ledger_([0-9a-f]{12})_([A-Za-z0-9_-]{43})")
_DUMMY_DIGEST = bytes(_SECRET_BYTES)


class TokenRefusedError(LedgerError):
    """Error for a refused token; the message gives only the reason that the token's holder may know."""


@dataclass(frozen=True)
class Caller:
    """Authenticated caller: the holder of a valid token."""

    token_id: int
    name: str
    role: Role

    def has_role(self, role: Role) -> bool:
        """Return whether the caller has a role; an admin also has the role viewer."""
        return role in (self.role, "viewer")


@dataclass(frozen=True)
class CreatedToken:
    """New token with its text, which is not stored and cannot be shown again."""

    token: Token
    text: str


def create(connection: sa.Connection, name: str, role: Role, days: int | None = None) -> CreatedToken:
    """Create a token that expires after a number of days; without one, never.

    Raises:
        ServingError: a token of that name exists and is not revoked.
    """
    prefix, secret = secrets.token_hex(_PREFIX_BYTES), secrets.token_urlsafe(_SECRET_BYTES)
    token = api_tokens.add(connection, name, role, prefix, _digest(secret), days)
    if token is None:
        raise ServingError(
            f"A token named {name!r} already exists. Choose another name, or revoke that one: "
            f"ledger token revoke {name!r}"
        )
    return CreatedToken(token, f"ledger_{prefix}_{secret}")


def authenticate(connection: sa.Connection, text: str) -> Caller:
    """Return the holder of a token, and record the token's use.

    Raises:
        TokenRefusedError: the token is unknown, expired or revoked.
    """
    match = _TOKEN.fullmatch(text)
    kept = api_tokens.by_prefix(connection, match[1]) if match else None
    # Compare in constant time, also for an unknown prefix: the timing must not reveal which prefixes exist.
    same = hmac.compare_digest(_digest(match[2] if match else text), kept.digest if kept else _DUMMY_DIGEST)
    if kept is None or not same:
        raise TokenRefusedError("The token is not known.")
    token = kept.token
    if token.state == "revoked":
        raise TokenRefusedError(f"The token was revoked at {token.revoked_at:%Y-%m-%d %H:%M}.")
    if token.state == "expired":
        raise TokenRefusedError(f"The token expired at {token.expires_at:%Y-%m-%d %H:%M}.")
    if not kept.use_recorded:
        api_tokens.record_use(connection, token.id)
    return Caller(token.id, token.name, token.role)


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()
