"""Cache of results that pages need often and that are slow to fetch."""

from dataclasses import dataclass, field
from typing import Annotated

from fastapi import Depends, Request

from ledger_pipelines.serving.dashboard.dagster_state import CheckResults
from ledger_pipelines.serving.web.cache import TtlCache


@dataclass(frozen=True)
class DashboardCache:
    """Cached results, each with a time to live.

    Attributes:
        checks: Latest results of Dagster's asset checks.
    """

    checks: TtlCache[CheckResults] = field(default_factory=TtlCache)


def _dashboard_cache(request: Request) -> DashboardCache:
    cache: DashboardCache = request.app.state.dashboard_cache
    return cache


DashboardCacheDep = Annotated[DashboardCache, Depends(_dashboard_cache)]
"""Parameter type of pages that use the cache."""
