"""Ownership marker of a demo: protects tables that no demo created.

The table `ledger_demo_seed` marks a database as a demo. It has one row per application, with the plan and, once
seeding is complete, its summary.
"""

from collections.abc import Callable
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.schema import CreateTable, DropTable

from ledger_pipelines.demo.plan import DemoPlan
from ledger_pipelines.errors import LedgerError
from ledger_pipelines.settings import mask_url

marker_table = sa.Table(
    "ledger_demo_seed",
    sa.MetaData(),
    sa.Column("application", sa.String(64), primary_key=True),
    sa.Column("plan", sa.Text, nullable=False),
    sa.Column("summary", sa.Text),  # NULL while the rows are being written
)


@dataclass(frozen=True)
class MarkerRow:
    """Marker row of an application: the plan's identity, and the summary once all rows are written."""

    plan: str
    summary: str | None


@dataclass(frozen=True)
class OwnershipMarker:
    """Marker of one application's tables in a database.

    Attributes:
        application: name of the application in the marker table.
        tables: tables that the demo creates, and drops if the plan replaces an earlier demo.
        is_demo_data: whether the existing tables, although marked, still hold the demo, and not real data restored
            over it.
    """

    application: str
    tables: tuple[sa.Table, ...]
    is_demo_data: Callable[[sa.Connection, list[sa.Table]], bool] = lambda _connection, _there: True

    def read(self, connection: sa.Connection) -> MarkerRow | None:
        """Return the application's marker row, or None."""
        if not sa.inspect(connection).has_table(marker_table.name):
            return None
        row = connection.execute(
            sa.select(marker_table.c.plan, marker_table.c.summary).where(self._own_row)
        ).one_or_none()
        return row and MarkerRow(row.plan, row.summary)

    def clear_earlier_demo(self, connection: sa.Connection, plan: DemoPlan) -> str | None:
        """Return the summary of the same demo if it exists; otherwise drop the tables of an earlier demo.

        Raises:
            LedgerError: if the tables are no demo's, or are an incomplete or different demo's and the plan does
                not say `replace`.
        """
        inspector = sa.inspect(connection)
        there = [table for table in self.tables if inspector.has_table(table.name)]
        if not there:
            return None
        found = self.read(connection)
        place = mask_url(connection.engine.url)
        if found is None or not self.is_demo_data(connection, there):
            raise LedgerError(
                f"{place} has {' and '.join(table.name for table in there)}, which no demo made: the database may hold "
                "the data of a real application. Nothing was changed. Use a database of its own for the demo."
            )
        if plan.replace:
            for table in there:
                connection.execute(DropTable(table))
            return None
        if found.summary is None or len(there) < len(self.tables):
            raise LedgerError(f"{place} has only a part of a demo. To drop it and start over, seed with --replace.")
        if found.plan != plan.identity():
            raise LedgerError(
                f"{place} has the demo of another plan, {found.plan}. "
                "To drop it, seed with --replace; or use another database."
            )
        return found.summary

    def create(self, connection: sa.Connection, plan: DemoPlan) -> None:
        """Create the tables without their secondary indexes, and mark them as a demo's.

        The tables are created before the marker row. If another program has created one of them in the meantime, the
        creation fails, and the other program's table is never marked.
        """
        marker_table.create(connection, checkfirst=True)
        connection.execute(marker_table.delete().where(self._own_row))
        for table in self.tables:
            connection.execute(CreateTable(table))
        connection.execute(marker_table.insert().values(application=self.application, plan=plan.identity()))
        commit_unless_transactional_ddl(connection)

    def finish(self, connection: sa.Connection, summary: str) -> None:
        """Create the secondary indexes and store the summary in the marker."""
        for table in self.tables:
            for index in sorted(table.indexes, key=lambda index: str(index.name)):
                index.create(connection)
            if connection.dialect.name == "postgresql":
                connection.exec_driver_sql(f"ANALYZE {table.name}")
        connection.execute(marker_table.update().where(self._own_row).values(summary=summary))

    @property
    def _own_row(self) -> sa.ColumnElement[bool]:
        return marker_table.c.application == self.application


def commit_unless_transactional_ddl(connection: sa.Connection) -> None:
    """Commit unless the database creates tables within a transaction; elsewhere one transaction holds everything."""
    if connection.dialect.name != "postgresql":
        connection.commit()
