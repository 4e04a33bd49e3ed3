"""A demo's claim on a database: which tables are its own, and refusing to where something else lives.

A table of its own, `ledger_demo_seed`, marks a database as a demo's: one row an application, with the plan that was
carried out and what came of it.
"""

from collections.abc import Callable
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.schema import CreateTable, DropTable

from ledger_pipelines.settings import masked
from ledger_pipelines.sources.sample.plan import Plan, SeedRefused

marker = sa.Table(
    "ledger_demo_seed",
    sa.MetaData(),
    sa.Column("application", sa.String(64), primary_key=True),
    sa.Column("plan", sa.Text, nullable=False),
    sa.Column("summary", sa.Text),  # NULL while the rows are being written
)


@dataclass(frozen=True)
class Found:
    """What an application's row of the marker says: the plan's identity, and the summary once all is written."""

    plan: str
    summary: str | None


@dataclass(frozen=True)
class Claim:
    """An application's tables in a database, as a demo's own.

    Attributes:
        application: its name in the marker.
        tables: what the demo creates, and drops when told to replace an earlier one.
        is_ours: whether the tables that are there, though marked, are still the demo's, and not real ones that were
            restored over it.
    """

    application: str
    tables: tuple[sa.Table, ...]
    is_ours: Callable[[sa.Connection, list[sa.Table]], bool] = lambda _connection, _there: True

    def found(self, connection: sa.Connection) -> Found | None:
        """What the marker says of the application; None if there is no mark."""
        if not sa.inspect(connection).has_table(marker.name):
            return None
        row = connection.execute(sa.select(marker.c.plan, marker.c.summary).where(self._mine)).one_or_none()
        return row and Found(row.plan, row.summary)

    def make_room(self, connection: sa.Connection, plan: Plan) -> str | None:
        """Give the summary of the same demo, if it is there; else see to it that the tables are not.

        Raises:
            SeedRefused: where that would do harm.
        """
        inspector = sa.inspect(connection)
        there = [table for table in self.tables if inspector.has_table(table.name)]
        if not there:
            return None
        found = self.found(connection)
        place = masked(connection.engine.url)
        if found is None or not self.is_ours(connection, there):
            raise SeedRefused(
                f"{place} has {' and '.join(table.name for table in there)}, which no demo made: a real application's "
                "data may be in there. Nothing was changed. Give the demo a database of its own."
            )
        if plan.replace:
            for table in there:
                connection.execute(DropTable(table))
            return None
        if found.summary is None or len(there) < len(self.tables):
            raise SeedRefused(f"{place} has only a part of a demo. Seed with replace to start afresh.")
        if found.plan != plan.identity():
            raise SeedRefused(
                f"{place} has the demo of another plan, {found.plan}. "
                "Seed with replace to drop it, or give this one a database of its own."
            )
        return found.summary

    def create(self, connection: sa.Connection, plan: Plan) -> None:
        """Make the tables without their secondary indexes, and mark them as a demo's.

        The tables come before the mark. If another program made one of them in the meantime, creating it fails, and
        a table that is not ours is never marked.
        """
        marker.create(connection, checkfirst=True)
        connection.execute(marker.delete().where(self._mine))
        for table in self.tables:
            connection.execute(CreateTable(table))
        connection.execute(marker.insert().values(application=self.application, plan=plan.identity()))
        commit_unless_whole(connection)

    def finish(self, connection: sa.Connection, summary: str) -> None:
        """Add the indexes and note what was made."""
        for table in self.tables:
            for index in sorted(table.indexes, key=lambda index: str(index.name)):
                index.create(connection)
            if connection.dialect.name == "postgresql":
                connection.exec_driver_sql(f"ANALYZE {table.name}")
        connection.execute(marker.update().where(self._mine).values(summary=summary))

    @property
    def _mine(self) -> sa.ColumnElement[bool]:
        return marker.c.application == self.application


def commit_unless_whole(connection: sa.Connection) -> None:
    """Commit where creating a table has already ended the transaction that would have held everything."""
    if connection.dialect.name != "postgresql":
        connection.commit()
