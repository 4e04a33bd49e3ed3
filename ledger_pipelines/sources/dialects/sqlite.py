"""SQLite, which serves for trials."""

from ledger_pipelines.sources.dialects.base import Server


class Sqlite(Server):
    """SQLite, which has no type for dates and would compare texts."""

    has_dates = False
