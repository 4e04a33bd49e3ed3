"""SQLAlchemy dialect for PostgreSQL by pyodbc and psqlODBC, which SQLAlchemy lacks; for tests only."""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.connectors.pyodbc import PyODBCConnector
from sqlalchemy.dialects import registry
from sqlalchemy.dialects.postgresql.base import PGDialect

OPTIONS = {"driver": "PostgreSQL Unicode", "UseDeclareFetch": "1", "Fetch": "10000", "BoolsAsChar": "0"}
"""Without `UseDeclareFetch` that driver reads a whole result before it gives the first row."""


class PsqlOdbcDialect(PyODBCConnector, PGDialect):
    """PostgreSQL by ODBC."""

    supports_statement_cache = True

    def _get_server_version_info(self, connection: sa.Connection) -> Any:
        return PGDialect._get_server_version_info(self, connection)  # type: ignore[no-untyped-call]


registry.register("postgresql.pyodbc", __name__, "PsqlOdbcDialect")


def with_psqlodbc(url: sa.URL) -> sa.URL:
    """Return the URL of the same database with the driver psqlODBC."""
    changed = url.set(drivername="postgresql+pyodbc", port=None)
    return changed.update_query_dict(OPTIONS | {"port": str(url.port or 5432)})
