"""Kinds of servers of the sources: each module holds all that is known of one kind. Another kind is another module.

Drivers are another dimension: `sources/erp/connection/` has one module for each.
"""

from ledger_pipelines.sources.dialects.base import Server
from ledger_pipelines.sources.dialects.mysql import MySql
from ledger_pipelines.sources.dialects.postgresql import PostgreSql
from ledger_pipelines.sources.dialects.sql_server import SqlServer
from ledger_pipelines.sources.dialects.sqlite import Sqlite

SERVERS = {
    server.name: server
    for server in (
        SqlServer("mssql", "SQL Server"),
        PostgreSql("postgresql", "PostgreSQL"),
        MySql("mysql", "MySQL"),
        MySql("mariadb", "MariaDB"),
        Sqlite("sqlite", "sqlite"),
    )
}
"""Known kinds of servers, by SQLAlchemy's name."""


def server_of(dialect: str) -> Server:
    """Return the description of a kind of server, given SQLAlchemy's name of it."""
    return SERVERS.get(dialect) or Server(dialect, dialect)
