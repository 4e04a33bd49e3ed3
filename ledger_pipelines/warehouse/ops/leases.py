"""`ops.leases`: rights that one process at a time holds, and renews by a heartbeat before they expire."""

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import Insert, insert

from ledger_pipelines.warehouse.tables import leases

_lease = leases.c


def acquire_lease(connection: sa.Connection, name: str, holder: str, ttl_seconds: int) -> bool:
    """Acquire a lease, taking over an expired one; False if the lease is live."""
    statement = _upsert(name, holder, _has_expired(ttl_seconds)).returning(_lease.name)
    return connection.execute(statement).first() is not None


def take_over_lease(connection: sa.Connection, name: str, holder: str) -> None:
    """Take a lease from its holder, who finds out at its next renewal."""
    connection.execute(_upsert(name, holder, sa.true()))


def renew_lease(connection: sa.Connection, name: str, holder: str) -> bool:
    """Renew a lease (heartbeat); False if another holder has it."""
    own = (_lease.name == name) & (_lease.holder == holder)
    renewal = sa.update(leases).where(own).values(renewed_at=sa.func.clock_timestamp()).returning(_lease.name)
    return connection.execute(renewal).first() is not None


def lease_is_live(connection: sa.Connection, name: str, ttl_seconds: float) -> bool:
    """Return whether any process holds a lease that has been renewed within its time to live."""
    live = sa.select(sa.true()).where(_lease.name == name, ~_has_expired(ttl_seconds))
    return connection.execute(live).first() is not None


def release_lease(connection: sa.Connection, name: str, holder: str | None = None) -> None:
    """Release a lease; with a holder, only if that holder still has it."""
    statement = sa.delete(leases).where(_lease.name == name)
    connection.execute(statement if holder is None else statement.where(_lease.holder == holder))


def _has_expired(ttl_seconds: float) -> sa.ColumnElement[bool]:
    since = sa.func.clock_timestamp() - ttl_seconds * sa.literal_column("interval '1 second'")
    return _lease.renewed_at < since


def _upsert(name: str, holder: str, where: sa.ColumnElement[bool]) -> Insert:
    statement = insert(leases).values(name=name, holder=holder, renewed_at=sa.func.clock_timestamp())
    updated = {column: statement.excluded[column] for column in ("holder", "renewed_at")}
    return statement.on_conflict_do_update(constraint=leases.primary_key, set_=updated, where=where)
