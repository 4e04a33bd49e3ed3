"""The demo's billing application, as the commands make it."""

from collections.abc import Callable
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import exc

from ledger_pipelines.horizon import month_of
from ledger_pipelines.serving.errors import ServingError
from ledger_pipelines.settings import masked
from ledger_pipelines.sources import billing_schema
from ledger_pipelines.sources.sample import SeedPlan, SeedSummary, seed
from ledger_pipelines.sources.sample.plan import WIB


def usual_plan() -> SeedPlan:
    """The demo that the first start makes: a few dozen customers over two years, up to last midnight."""
    now = datetime.now(WIB)
    return SeedPlan(current_month=month_of(now, WIB), until=now.replace(hour=0, minute=0, second=0, microsecond=0))


def has_billing_tables(engine: sa.Engine) -> bool:
    """Whether a database has the billing application's users, the demo's or others.

    Raises:
        ServingError: it cannot be reached.
    """
    try:
        return sa.inspect(engine).has_table(billing_schema.users.name)
    except exc.DBAPIError as error:
        raise _unreachable(engine, error) from error


def seed_demo(engine: sa.Engine, plan: SeedPlan, progress: Callable[[int, int], None] | None = None) -> SeedSummary:
    """Fill a database with a demo.

    Raises:
        SeedRefused: it holds what seeding would destroy or contradict.
        ServingError: it cannot be reached or written to.
    """
    try:
        return seed(engine, plan, progress)
    except exc.DBAPIError as error:
        raise _unreachable(engine, error) from error


def _unreachable(engine: sa.Engine, error: exc.DBAPIError) -> ServingError:
    return ServingError(f"The database {masked(engine.url)} cannot be used: {error.orig}")
