"""`ops.api_tokens`: who may use the API. Nothing here knows a token; it is made and checked in `serving/access/`."""

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
    """A token that was given out, without what makes it one."""

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
class Kept:
    """What a token that is shown is checked against.

    Attributes:
        token: Whose it is, and whether it is valid.
        digest: SHA-256 of its secret part.
        noted: Whether its use has been noted within the last minute.
    """

    token: Token
    digest: bytes
    noted: bool


def add(connection: sa.Connection, name: str, role: Role, prefix: str, digest: bytes, days: int | None) -> Token | None:
    """Keep a new token, which expires after some days or never; None if another of that name is not revoked."""
    expires_at = None if days is None else sa.func.now() + sa.func.make_interval(0, 0, 0, days)
    taken = sa.select(sa.literal(1)).where(_token.name == name, _token.revoked_at.is_(None))
    # Two who add the same name at once are told apart by a unique index; here one of them is told kindly.
    if connection.scalar(sa.select(sa.exists(taken))):
        return None
    statement = sa.insert(api_tokens).values(name=name, role=role, prefix=prefix, digest=digest, expires_at=expires_at)
    return Token(*connection.execute(statement.returning(*_columns())).one())


def by_prefix(connection: sa.Connection, prefix: str) -> Kept | None:
    """The token with a public part; None if there is none."""
    row = connection.execute(_by_prefix(), {"prefix": prefix}).one_or_none()
    return None if row is None else Kept(Token(*row[2:]), row[0], row[1])


@cache
def _by_prefix() -> sa.Select[Any]:
    """One row: the token with a public part. Every request asks for it, so it is composed once."""
    noted = sa.func.coalesce(_token.last_used_at > sa.func.now() - _MINUTE, sa.false())
    return sa.select(_token.digest, noted, *_columns()).where(_token.prefix == sa.bindparam("prefix"))


def used(connection: sa.Connection, token_id: int) -> None:
    """Note that a token is used, unless that was noted within the last minute."""
    long_ago = sa.or_(_token.last_used_at.is_(None), _token.last_used_at <= sa.func.now() - _MINUTE)
    connection.execute(sa.update(api_tokens).where(_token.id == token_id, long_ago).values(last_used_at=sa.func.now()))


def every(connection: sa.Connection) -> list[Token]:
    """All tokens, the newest first."""
    return [Token(*row) for row in connection.execute(sa.select(*_columns()).order_by(_token.id.desc()))]


def revoke(connection: sa.Connection, name: str) -> Token | None:
    """Refuse the token of a name from now on; None if there is none that is not revoked."""
    statement = (
        sa.update(api_tokens)
        .where(_token.name == name, _token.revoked_at.is_(None))
        .values(revoked_at=sa.func.now())
        .returning(*_columns())
    )
    row = connection.execute(statement).one_or_none()
    return None if row is None else Token(*row)


def any_ever(connection: sa.Connection) -> bool:
    """Whether a token was ever given out."""
    return bool(connection.scalar(sa.select(sa.exists(sa.select(1).select_from(api_tokens)))))


def _columns() -> list[sa.ColumnElement[Any]]:
    """The columns that make a `Token`, in order."""
    state = sa.case(
        (_token.revoked_at.is_not(None), "revoked"),
        (_token.expires_at <= sa.func.now(), "expired"),
        else_="valid",
    )
    return [state if item.name == "state" else _token[item.name] for item in fields(Token)]
