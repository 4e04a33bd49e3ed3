"""`ops.sessions`: login sessions of the dashboard. Only digests of secrets are stored; see `serving/access/`."""

from dataclasses import dataclass

import sqlalchemy as sa

from ledger_pipelines.warehouse.ops.api_tokens import Role
from ledger_pipelines.warehouse.tables import api_tokens, sessions

_session, _token = sessions.c, api_tokens.c


@dataclass(frozen=True)
class BrowserSession:
    """A session's token, by the columns of `ops.api_tokens`."""

    token_id: int
    name: str
    role: Role


def add(connection: sa.Connection, token_id: int, digest: bytes, hours: int) -> None:
    """Store a new session that expires after ``hours``, and delete all expired sessions."""
    connection.execute(sa.delete(sessions).where(_session.expires_at <= sa.func.now()))
    expires_at = sa.func.now() + sa.func.make_interval(0, 0, 0, 0, hours)
    connection.execute(sa.insert(sessions).values(token_id=token_id, digest=digest, expires_at=expires_at))


def by_digest(connection: sa.Connection, digest: bytes) -> BrowserSession | None:
    """Return the session of a secret's digest; None if it is unknown or expired, or its token is no longer valid."""
    token_is_valid = sa.and_(
        _token.revoked_at.is_(None), sa.or_(_token.expires_at.is_(None), _token.expires_at > sa.func.now())
    )
    statement = (
        sa.select(_token.id, _token.name, _token.role)
        .join_from(sessions, api_tokens, _token.id == _session.token_id)
        .where(_session.digest == digest, _session.expires_at > sa.func.now(), token_is_valid)
    )
    row = connection.execute(statement).one_or_none()
    return None if row is None else BrowserSession(*row)


def remove(connection: sa.Connection, digest: bytes) -> None:
    """Delete a session."""
    connection.execute(sa.delete(sessions).where(_session.digest == digest))
