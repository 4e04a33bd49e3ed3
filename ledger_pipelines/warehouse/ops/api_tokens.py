"""`ops.api_tokens`: the API's tokens. Only digests are stored; `serving/access/` creates and checks the tokens."""

from dataclasses import dataclass, fields
from datetime import datetime
from functools import cache
from typing import Any, Literal

import sqlalchemy as sa

from ledger_pipelines.warehouse.tables import api_tokens

Role = Literal["viewer", "admin"]
State = Literal["valid", "expired", "revoked"]

_token = api_tokens.c
_MINUTE: sa.ColumnElement[Any] = sa.literal_column("interval '1 minute'")


@dataclass(frozen=True)
class Token:
    """An issued token without its secret."""

    id: int
    name: str
    role: Role
    prefix: str
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None
    state: State


@dataclass(frozen=True)
class StoredToken:
    """A stored token, to check a presented one against.

    Attributes:
        token: The token with its state.
        digest: SHA-256 of its secret part.
        use_recorded: Whether its use has been recorded within the last minute.
    """

    token: Token
    digest: bytes
    use_recorded: bool


def add(connection: sa.Connection, name: str, role: Role, prefix: str, digest: bytes, days: int | None) -> Token | None:
    """Store a new token that expires after ``days`` or (None) never; None if an unrevoked token has that name."""
    expires_at = None if days is None else sa.func.now() + sa.func.make_interval(0, 0, 0, days)
    same_name = sa.select(sa.literal(1)).where(_token.name == name, _token.revoked_at.is_(None))
    # For a friendly message. A unique index rejects the second of two simultaneous calls with the same name.
    if connection.scalar(sa.select(sa.exists(same_name))):
        return None
    statement = sa.insert(api_tokens).values(name=name, role=role, prefix=prefix, digest=digest, expires_at=expires_at)
    return Token(*connection.execute(statement.returning(*_columns())).one())


def by_prefix(connection: sa.Connection, prefix: str) -> StoredToken | None:
    """Return the token with a public part, or None."""
    row = connection.execute(_by_prefix(), {"prefix": prefix}).one_or_none()
    return None if row is None else StoredToken(Token(*row[2:]), row[0], row[1])


@cache
def _by_prefix() -> sa.Select[Any]:
    """One row: the token with a public part. Cached because every request uses the statement."""
    noted = sa.func.coalesce(_token.last_used_at > sa.func.now() - _MINUTE, sa.false())
    return sa.select(_token.digest, noted, *_columns()).where(_token.prefix == sa.bindparam("prefix"))


def record_use(connection: sa.Connection, token_id: int) -> None:
    """Record that a token is used, at most once per minute."""
    is_due = sa.or_(_token.last_used_at.is_(None), _token.last_used_at <= sa.func.now() - _MINUTE)
    connection.execute(sa.update(api_tokens).where(_token.id == token_id, is_due).values(last_used_at=sa.func.now()))


def all_tokens(connection: sa.Connection) -> list[Token]:
    """Return all tokens, newest first."""
    return [Token(*row) for row in connection.execute(sa.select(*_columns()).order_by(_token.id.desc()))]


def revoke(connection: sa.Connection, name: str) -> Token | None:
    """Revoke the token with a name; None if no unrevoked token has it."""
    statement = (
        sa.update(api_tokens)
        .where(_token.name == name, _token.revoked_at.is_(None))
        .values(revoked_at=sa.func.now())
        .returning(*_columns())
    )
    row = connection.execute(statement).one_or_none()
    return None if row is None else Token(*row)


def any_issued(connection: sa.Connection) -> bool:
    """Return whether any token has ever been issued."""
    return bool(connection.scalar(sa.select(sa.exists(sa.select(1).select_from(api_tokens)))))


def _columns() -> list[sa.ColumnElement[Any]]:
    """Return the columns of a `Token`, in order."""
    state = sa.case(
        (_token.revoked_at.is_not(None), "revoked"),
        (_token.expires_at <= sa.func.now(), "expired"),
        else_="valid",
    )
    return [state if item.name == "state" else _token[item.name] for item in fields(Token)]
