"""Statements for SQL Server in full text, for review by people who know it, because no SQL Server is available."""

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from types import SimpleNamespace
from typing import Any, cast

import pytest
import sqlalchemy as sa

from ledger_pipelines.sources.column_types import Family
from ledger_pipelines.sources.dialects import server_of
from ledger_pipelines.sources.erp.catalogue import STOCKBYWH, VIEW_WAREHOUSE_ORDER, ErpColumn, ErpTable, Kind
from ledger_pipelines.sources.erp.reader import Span, Wanted
from ledger_pipelines.sources.erp.schemas import schemas_of
from ledger_pipelines.sources.erp.shape import shape_of
from ledger_pipelines.sources.erp.statements import Statements
from ledger_pipelines.sources.erp.texts import with_texts
from ledger_pipelines.sources.errors import SourceError

URL = sa.make_url("mssql+pyodbc://reader:s3cret@host/erp?driver=x")
DIALECT = cast("Any", URL.get_dialect())(paramstyle="qmark")
SQL_SERVER = server_of("mssql")
SQL_SERVER_2022 = (16, 0)
MARCH = Span(date(2025, 3, 1), date(2025, 4, 1))

ORDERS = {
    **dict.fromkeys(VIEW_WAREHOUSE_ORDER.names, "nvarchar(60)"),
    "trx_type": "char(3)",
    "order_date": "datetime",
    "plan_delivery_date": "date",
    "ship_to_desc": "ntext",
}


def statements(table: ErpTable, types: Mapping[str, str], version: tuple[int, ...] = SQL_SERVER_2022) -> Statements:
    """Return the statements for a table whose columns have these types at SQL Server."""
    return Statements(table, shape_of(table, "mssql", version, types))


def sql_of(statement: sa.Select[Any]) -> tuple[str, list[Any]]:
    """Return a statement as the driver receives it, on one line, and its parameters."""
    compiled = statement.compile(dialect=DIALECT)
    assert compiled.positiontup is not None
    return " ".join(str(compiled).split()), [compiled.params[name] for name in compiled.positiontup]


def test_rows_of_some_months_and_without_dates() -> None:
    wanted = Wanted((MARCH, Span(date(2026, 1, 1), None)), undated=True)
    (statement,) = statements(VIEW_WAREHOUSE_ORDER, ORDERS).rows(wanted)
    text, parameters = sql_of(statement)
    assert text == (
        "SELECT [view_warehouse_order].[order_origin_code], [view_warehouse_order].[order_origin],"
        " [view_warehouse_order].[trx_type], [view_warehouse_order].[order_date],"
        " [view_warehouse_order].[plan_delivery_date], [view_warehouse_order].[ship_from_type],"
        " [view_warehouse_order].[ship_from], [view_warehouse_order].[ship_from_desc],"
        " [view_warehouse_order].[ship_to_type], [view_warehouse_order].[ship_to],"
        " [view_warehouse_order].[ship_to_desc]"
        " FROM [view_warehouse_order]"
        " WHERE [order_date] IS NULL AND [plan_delivery_date] IS NULL"
        " OR [order_date] >= ? AND [order_date] < ?"
        " OR [order_date] >= ?"
        " OR [order_date] IS NULL AND ([plan_delivery_date] >= ? AND [plan_delivery_date] < ?"
        " OR [plan_delivery_date] >= ?)"
        " OPTION (RECOMPILE)"
    )
    march = [date(2025, 3, 1), date(2025, 4, 1)]
    assert parameters == [*march, date(2026, 1, 1)] * 2
    # A datetime would be sent as datetime2, for which SQL Server cannot use an index on a datetime column.
    assert {type(parameter) for parameter in parameters} == {date}


def test_a_snapshot_with_reserved_words_as_names() -> None:
    (statement,) = statements(STOCKBYWH, dict.fromkeys(STOCKBYWH.names, "nvarchar(60)")).rows(Wanted(everything=True))
    text, parameters = sql_of(statement)
    assert "[stockbywh].[desc], " in text
    assert "[stockbywh].[group], " in text
    assert text.endswith(" FROM [stockbywh]")
    assert parameters == []


def test_rows_of_days_read_as_bytes_are_recompiled() -> None:
    (statement,) = statements(VIEW_WAREHOUSE_ORDER, ORDERS).rows(Wanted((MARCH,)), by_bytes=True)
    assert sql_of(statement)[0].endswith(" AND [plan_delivery_date] < ? OPTION (RECOMPILE)")


def test_spans_beyond_the_parameter_limit() -> None:
    days = [Span(date(2020 + month // 12, 1 + month % 12, day), date(2020 + month // 12, 1 + month % 12, day + 1))
            for month in range(60) for day in range(1, 28, 2)]  # fmt: skip
    table = VIEW_WAREHOUSE_ORDER
    parts = [sql_of(statement) for statement in statements(table, ORDERS).rows(Wanted(tuple(days), undated=True))]
    assert len(parts) == 9
    assert max(len(parameters) for _, parameters in parts) == 400
    assert sum(len(parameters) for _, parameters in parts) == 4 * len(days)


def bounds(type_: str, span: Span) -> tuple[str, list[Any]]:
    """Return the condition on the only date column of a table, which has this type, and its parameters."""
    table = ErpTable("t", "t", (ErpColumn("order_date", Kind.DATE, "d"),), ("order_date",), ())
    found = list(statements(table, {"order_date": type_}).rows(Wanted((span,))))
    if not found:
        return "nothing", []
    text, parameters = sql_of(found[0])
    return text.partition(" WHERE ")[2].removesuffix(" OPTION (RECOMPILE)"), parameters


@pytest.mark.parametrize(
    ("type_", "span", "expected"),
    [
        ("datetime", Span(date.min, date(2025, 4, 1)), ("[order_date] < ?", [date(2025, 4, 1)])),
        ("datetime", Span(date.min, None), ("[order_date] IS NOT NULL", [])),
        ("datetime", Span(date.min, date(1753, 1, 1)), ("nothing", [])),
        ("datetime2(7)", Span(date(1, 1, 2), None), ("[order_date] >= ?", [date(1, 1, 2)])),
        ("smalldatetime", Span(date(2025, 1, 1), date(2099, 1, 1)), ("[order_date] >= ?", [date(2025, 1, 1)])),
        ("smalldatetime", Span(date(2080, 1, 1), None), ("nothing", [])),
        ("date", MARCH, ("[order_date] >= ? AND [order_date] < ?", [MARCH.first, MARCH.after])),
    ],
)
def test_no_day_outside_the_range_of_the_type(type_: str, span: Span, expected: tuple[str, list[date]]) -> None:
    """Comparing a datetime with 0001-01-01 is an error that would stop the whole sync."""
    assert bounds(type_, span) == expected


def test_a_moment_with_an_offset_is_compared_on_its_own_day() -> None:
    """SQL Server would compare a `datetimeoffset` with a day in UTC."""
    day = "CAST([order_date] AS DATE)"
    assert bounds("datetimeoffset(7)", MARCH) == (f"{day} >= ? AND {day} < ?", [MARCH.first, MARCH.after])
    table = ErpTable("t", "t", (ErpColumn("order_date", Kind.DATE, "d"),), ("order_date",), ())
    text, _ = sql_of(statements(table, {"order_date": "datetimeoffset(7)"}).fingerprints())
    assert text.startswith(f"SELECT {day} AS day, ")
    assert _bytes(16, "order_date") in text  # with the offset: UTC alone would miss a change of the day
    assert f" GROUP BY {day} " in text


@pytest.mark.parametrize(
    ("type_name", "kind", "expected"),
    [
        ("datetimeoffset(7)", Kind.DATE, "CAST([t].[c] AS DATE)"),
        ("datetimeoffset(7)", Kind.TEXT, "convert(nvarchar(34), [t].[c], 121)"),
        ("datetimeoffset(7)", Kind.DECIMAL, "convert(nvarchar(34), [t].[c], 121)"),
        ("datetime2(7)", Kind.DATE, "[t].[c]"),
        ("datetime2(7)", Kind.TEXT, "convert(nvarchar(34), [t].[c], 121)"),
        ("time(7)", Kind.TEXT, "convert(nvarchar(34), [t].[c], 121)"),
        ("uniqueidentifier", Kind.TEXT, "convert(nvarchar(max), [t].[c])"),
        ("xml", Kind.TEXT, "convert(nvarchar(max), [t].[c])"),
        ("bit", Kind.BOOLEAN, "[t].[c]"),
        ("bit", Kind.TEXT, "convert(nvarchar(max), [t].[c])"),
        ("money", Kind.DECIMAL, "[t].[c]"),
        ("nvarchar(max)", Kind.TEXT, "[t].[c]"),
    ],
)
def test_types_that_drivers_change_are_converted_by_the_server(type_name: str, kind: Kind, expected: str) -> None:
    of_type = statements(ErpTable("t", "t", (ErpColumn("c", kind, "c"),), (), ()), {"c": type_name})
    for statement in (*of_type.rows(Wanted(everything=True)), of_type.no_rows()):
        selected, _, _ = sql_of(statement)[0].removeprefix("SELECT ").partition(" FROM ")
        assert re.fullmatch(re.escape(expected) + r"( AS \S+)?", selected)
    # Another conversion changes the copy, so the days must be read again.
    assert of_type.algorithm.endswith(" converted)") is (expected != "[t].[c]")


def _bytes(size: int, column: str) -> str:
    length = f"CONVERT(binary(4), CONVERT(int, DATALENGTH([{column}])))"
    return f"ISNULL({length} + CONVERT(varbinary({size}), [{column}]), 0xFFFFFFFF)"


def test_fingerprints() -> None:
    text, parameters = sql_of(statements(VIEW_WAREHOUSE_ORDER, ORDERS).fingerprints())
    day = "coalesce(CAST([order_date] AS DATE), CAST([plan_delivery_date] AS DATE))"
    of_long_text = (
        "ISNULL(CONVERT(binary(4), CONVERT(int, DATALENGTH([ship_to_desc])))"
        " + CONVERT(varbinary(32), HASHBYTES('SHA2_256', CONVERT(varbinary(max),"
        " CONVERT(nvarchar(max), [ship_to_desc])))), 0xFFFFFFFF)"
    )
    pieces = [
        _bytes(120, "order_origin_code"),
        _bytes(120, "order_origin"),
        _bytes(3, "trx_type"),
        _bytes(16, "order_date"),
        _bytes(16, "plan_delivery_date"),
        _bytes(120, "ship_from_type"),
        _bytes(120, "ship_from"),
        _bytes(120, "ship_from_desc"),
        _bytes(120, "ship_to_type"),
        _bytes(120, "ship_to"),
        of_long_text,
    ]
    whole = f"CONVERT(varbinary(32), HASHBYTES('SHA2_256', {' + '.join(pieces)}))"
    assert text == (
        f"SELECT {day} AS day, count_big(*) AS row_count,"
        f" SUM(CONVERT(decimal(38, 0), CONVERT(bigint, SUBSTRING({whole}, 1, 8)))) AS part_0"
        f" FROM [view_warehouse_order] GROUP BY {day} OPTION (MAXDOP 1)"
    )
    assert parameters == []


def test_sums_do_not_overflow_their_type() -> None:
    types = {"a": "decimal(29,10)", "b": "int", "c": "money", "d": "float"}
    columns = tuple(ErpColumn(name, Kind.DECIMAL, name) for name in types)
    found = statements(ErpTable("t", "t", columns, (), ()), types)
    text, _ = sql_of(found.fingerprints())
    assert "sum([t].[a]) AS sum_0" in text
    assert "sum(CAST([t].[b] AS NUMERIC(38, 0))) AS sum_1" in text
    assert "sum(CAST([t].[c] AS NUMERIC(38, 4))) AS sum_2" in text
    assert found.summed == ("a", "b", "c")


@pytest.mark.parametrize(
    ("type_", "limit", "own_type"),
    [
        ("decimal(38,10)", "1" + "0" * 19, "NUMERIC(38, 10)"),
        ("numeric(30,0)", "1" + "0" * 29, "NUMERIC(30, 0)"),
        ("decimal(38,38)", "0.000000001", "NUMERIC(38, 38)"),
    ],
)
def test_values_too_large_for_a_sum_are_counted(type_: str, limit: str, own_type: str) -> None:
    """A sum beyond 38 digits is an error. The limit has the column's type, so that the comparison is exact."""
    found = statements(ErpTable("t", "t", (ErpColumn("a", Kind.DECIMAL, "a"),), (), ()), {"a": type_})
    text, _ = sql_of(found.fingerprints())
    assert f"sum(CASE WHEN (abs([t].[a]) < CAST({limit} AS {own_type})) THEN [t].[a] END) AS sum_0" in text
    assert f"count_big(CASE WHEN (abs([t].[a]) >= CAST({limit} AS {own_type})) THEN 1 END) AS beyond_0" in text


@pytest.mark.parametrize("version", [SQL_SERVER_2022, (10, 50)], ids=["hashes", "extremes"])
def test_uncompared_columns_are_read_but_not_fingerprinted(version: tuple[int, ...]) -> None:
    name, age = ErpColumn("name", Kind.TEXT, "n"), ErpColumn("age", Kind.DECIMAL, "a", compared=False)
    types = {"name": "varchar(9)", "age": "int"}
    with_age, without = (
        statements(ErpTable("t", "t", columns, (), ()), types, version) for columns in ((name, age), (name,))
    )
    assert sql_of(with_age.fingerprints()) == sql_of(without.fingerprints())
    assert with_age.algorithm == without.algorithm
    (rows,) = with_age.rows(Wanted(everything=True))
    assert sql_of(rows)[0] == "SELECT [t].[name], [t].[age] FROM [t]"


def hash_of(types: Mapping[str, str], version: tuple[int, ...] = SQL_SERVER_2022) -> str:
    """Return the fingerprint statement of a table whose text columns have these types."""
    columns = tuple(ErpColumn(name, Kind.TEXT, name) for name in types)
    return sql_of(statements(ErpTable("t", "t", columns, (), ()), types, version).fingerprints())[0]


def test_at_most_8000_bytes_are_hashed_together() -> None:
    text = hash_of({"a": "nvarchar(1990)", "b": "nvarchar(1990)", "c": "varchar(30)", "d": "nvarchar(4000)"})
    groups = text.split("CONVERT(varbinary(32), HASHBYTES('SHA2_256', ")
    # Outer hash; a and b, 7,968 bytes with their marks; c and the hash of d, which exceeds a group on its own.
    assert [part.count("ISNULL") for part in groups] == [0, 0, 2, 2, 0]
    assert "CONVERT(varbinary(8000)" not in text


def test_no_conversion_in_a_hash_fails_or_loses_digits() -> None:
    """The text of a `time` may lack its seconds; an `xml` has no bytes but those of its text."""
    text = hash_of({"a": "time(7)", "b": "uniqueidentifier", "c": "xml"})
    assert _bytes(16, "a") in text
    assert _bytes(16, "b") in text
    assert "HASHBYTES('SHA2_256', CONVERT(varbinary(max), CONVERT(nvarchar(max), [c])))" in text


def test_an_old_server_hashes_both_ends_of_a_long_text() -> None:
    text = hash_of({"a": "nvarchar(max)"}, version=(12, 0))
    for end in ("LEFT", "RIGHT"):
        assert f"HASHBYTES('SHA2_256', CONVERT(varbinary(8000), {end}(CONVERT(nvarchar(max), [a]), 4000)))" in text
    assert "varbinary(max)" not in text


@pytest.mark.parametrize(
    ("type_", "version", "expected"),
    [
        ("nvarchar(3000)", (11, 0), True),
        ("varchar(8000)", (12, 0), True),
        ("nvarchar(max)", (12, 0), False),
        ("xml", (12, 0), False),
        ("nvarchar(max)", (13, 0), True),
        ("nvarchar(60)", (10, 50), False),
    ],
)
def test_fingerprints_show_every_change_unless_a_part_is_not_hashed(
    type_: str, version: tuple[int, ...], expected: bool
) -> None:
    columns = (ErpColumn("a", Kind.TEXT, "a"), ErpColumn("b", Kind.TEXT, "b"))
    found = statements(ErpTable("t", "t", columns, (), ()), {"a": type_, "b": "int"}, version)
    assert found.shows_every_change is expected


def test_a_bracket_in_a_name_is_escaped() -> None:
    table = ErpTable("t", "t", (ErpColumn("a]b", Kind.TEXT, "a"),), (), ())
    text, _ = sql_of(statements(table, {"a]b": "varchar(9)"}).fingerprints())
    assert "DATALENGTH([a]]b])" in text


@pytest.mark.parametrize(
    ("words", "family"),
    [
        ("decimal(38,10)", Family.EXACT),
        ("money", Family.EXACT),
        ("bigint", Family.WHOLE),
        ("float", Family.APPROXIMATE),
        ("datetime2(7)", Family.DATE),
        ("datetimeoffset(7)", Family.ZONED),
        ("nvarchar(max)", Family.TEXT),
        ("bit", Family.BOOLEAN),
        ("uniqueidentifier", Family.OTHER),
        ("time(7)", Family.OTHER),
        ("xml", Family.OTHER),
        ("timestamp", Family.UNREADABLE),
        ("varbinary(max)", Family.UNREADABLE),
        ("image", Family.UNREADABLE),
        ("sql_variant", Family.UNREADABLE),
        ("CLR type", Family.UNREADABLE),
        ("vector(3)", Family.UNREADABLE),
    ],
)
def test_families_of_types(words: str, family: Family) -> None:
    assert SQL_SERVER.family(words) is family


def test_the_query_for_a_table_without_description() -> None:
    """The query makes the server report what is wrong with the table."""
    assert sql_of(Statements.nothing_of(STOCKBYWH)) == ("SELECT * FROM [stockbywh] WHERE 1 = 0", [])
    of_sales = Statements.nothing_of(replace(STOCKBYWH, schema="sa.les"))
    assert sql_of(of_sales) == ("SELECT * FROM [sa.les].[stockbywh] WHERE 1 = 0", [])


def test_statements_with_a_schema_name_it_in_from_only() -> None:
    table = ErpTable("t", "t", (ErpColumn("desc", Kind.TEXT, "d"), ErpColumn("qty", Kind.DECIMAL, "q")), (), ())
    types = {"desc": "nvarchar(60)", "qty": "int"}
    plain, of_sales = statements(table, types), statements(replace(table, schema="sa.l]es"), types)
    for plain_statement, statement in (
        (plain.fingerprints(), of_sales.fingerprints()),
        (plain.no_rows(), of_sales.no_rows()),
        (*plain.rows(Wanted(everything=True)), *of_sales.rows(Wanted(everything=True))),
        (*plain.rows(Wanted(everything=True), by_bytes=True), *of_sales.rows(Wanted(everything=True), by_bytes=True)),
    ):
        text, parameters = sql_of(plain_statement)
        assert "FROM [t]" in text
        assert sql_of(statement) == (text.replace("FROM [t]", "FROM [sa.l]]es].[t] AS [t]"), parameters)


def test_the_digest_does_not_depend_on_the_schema() -> None:
    """Naming the schema that is read anyway must not make a sync read every row again."""
    types = dict.fromkeys(STOCKBYWH.names, "nvarchar(60)")
    of_sales = statements(replace(STOCKBYWH, schema="sales"), types)
    assert of_sales.algorithm == statements(STOCKBYWH, types).algorithm


def test_the_server_lists_the_schemas_of_a_name() -> None:
    recorded: list[tuple[str, list[Any]]] = []

    def execute(statement: Any, values: dict[str, Any]) -> list[tuple[str, int]]:
        recorded.append(sql_of(statement.bindparams(**{name: values[name] for name in ("name", "path")})))
        return [("dbo", 0), ("sales", 1)]

    connection = cast("sa.Connection", SimpleNamespace(dialect=DIALECT, execute=execute))
    found = schemas_of(connection, replace(STOCKBYWH, schema="sales"))
    assert (found.names, found.read, found.is_chosen) == (("dbo", "sales"), "sales", True)
    assert not schemas_of(connection, STOCKBYWH).is_chosen
    text = (
        "SELECT s.name, CASE WHEN o.object_id = OBJECT_ID(?) THEN 1 ELSE 0 END"
        " FROM sys.objects AS o JOIN sys.schemas AS s ON s.schema_id = o.schema_id"
        " WHERE o.name = ? AND o.type IN ('U', 'V', 'SN') ORDER BY s.name"
    )
    assert recorded == [
        (text, ["[sales].[stockbywh]", "stockbywh"]),
        (text, ["[stockbywh]", "stockbywh"]),
    ]


def test_the_server_describes_the_columns() -> None:
    recorded: list[str] = []

    def execute(statement: str) -> list[tuple[str, str | None]]:
        recorded.append(" ".join(statement.split()))
        return [("warehouse", "nvarchar(60)"), ("onhand", "decimal(19,6)"), ("place", None)]

    connection = SimpleNamespace(dialect=DIALECT, exec_driver_sql=execute)
    found = SQL_SERVER.column_types(cast("sa.Connection", connection), "stock'bywh")
    assert found == {"warehouse": "nvarchar(60)", "onhand": "decimal(19,6)", "place": "CLR type"}
    SQL_SERVER.column_types(cast("sa.Connection", connection), "stock'bywh", "sa]les")
    text, of_sales = recorded
    assert of_sales == text.replace("FROM [stock", "FROM [sa]]les].[stock")
    assert text == (
        "SELECT name, system_type_name FROM sys.dm_exec_describe_first_result_set"
        "(N'SELECT * FROM [stock''bywh]', NULL, 0)"
        " WHERE is_hidden = 0 AND error_number IS NULL ORDER BY column_ordinal"
    )


class RecordingConnection:
    """Fake connection to a SQL Server with or without snapshots; records its statements."""

    def __init__(self, allows_snapshots: int, version: tuple[int, ...] = SQL_SERVER_2022) -> None:
        self.recorded: list[str] = []
        self._answer = SimpleNamespace(scalar=lambda: allows_snapshots)
        self.connection = SimpleNamespace(dbapi_connection=SimpleNamespace(timeout=0))
        self.dialect = SimpleNamespace(server_version_info=version)
        self.engine = SimpleNamespace(url=URL)

    def exec_driver_sql(self, statement: str) -> SimpleNamespace:
        """Record a statement."""
        self.recorded.append(statement)
        return self._answer

    def commit(self) -> None:
        """Record the end of the transaction."""
        self.recorded.append("commit")

    def execution_options(self, isolation_level: str) -> None:
        """Record the isolation level."""
        self.recorded.append(isolation_level)


@pytest.mark.parametrize(
    ("state", "levels"),
    [(1, ["SNAPSHOT"]), (0, ["READ COMMITTED", "AUTOCOMMIT"]), (3, ["READ COMMITTED", "AUTOCOMMIT"])],
)
def test_a_pass_is_a_snapshot_if_the_database_allows_it(state: int, levels: list[str]) -> None:
    connection = RecordingConnection(state)
    consistent = SQL_SERVER.set_up(cast("sa.Connection", connection), 600)
    assert consistent is (levels == ["SNAPSHOT"])
    assert connection.recorded == [
        "SET LOCK_TIMEOUT 60000",
        "SET DEADLOCK_PRIORITY LOW",
        "SET TEXTSIZE 2147483647",
        "SELECT snapshot_isolation_state FROM sys.databases WHERE name = DB_NAME()",
        "commit",
        *levels,
    ]
    assert connection.connection.dbapi_connection.timeout == 600


def test_a_server_that_is_too_old() -> None:
    connection = RecordingConnection(1, version=(10, 50, 6000))
    reason = r"ERP mssql.*@host/erp is a SQL Server of version 10\.50\.6000\. The oldest .* is SQL Server 2012"
    with pytest.raises(SourceError, match=reason) as error:
        SQL_SERVER.set_up(cast("sa.Connection", connection), 600)
    assert connection.recorded == []
    assert "s3cret" not in str(error.value)
    assert SQL_SERVER.set_up(cast("sa.Connection", RecordingConnection(1, version=(11, 0, 7001))), 600)


def test_fingerprints_of_some_days() -> None:
    """A connection test computes the same expressions for few rows."""
    found = statements(VIEW_WAREHOUSE_ORDER, ORDERS)
    (condition,) = found.conditions(Wanted((MARCH,)))
    text, parameters = sql_of(found.fingerprints(condition))
    assert " FROM [view_warehouse_order] WHERE [order_date] >= ? AND [order_date] < ? OR [order_date] IS NULL" in text
    assert text.endswith(" OPTION (MAXDOP 1)")
    assert parameters == [MARCH.first, MARCH.after] * 2


def test_texts_as_bytes() -> None:
    """For drivers that fail on a text: UTF-16 as stored, including lone surrogates."""
    table = ErpTable("t", "t", (ErpColumn("desc", Kind.TEXT, "d"), ErpColumn("qty", Kind.DECIMAL, "q")), (), ())
    found = statements(table, {"desc": "nvarchar(60)", "qty": "decimal(9, 2)"})
    (statement,) = found.rows(Wanted(everything=True), by_bytes=True)
    assert sql_of(statement) == (
        "SELECT CAST(CAST([t].[desc] AS NVARCHAR(max)) AS VARBINARY(max)) AS [desc], [t].[qty] FROM [t]",
        [],
    )
    rows: list[tuple[Any, ...]] = [("a😀 ".encode("utf-16-le"), 1), (b"a\x00=\xd8", 2), (None, None), (b"", 0)]
    assert with_texts(rows, [0], SQL_SERVER) == [("a😀 ", 1), ("a\ud83d", 2), (None, None), ("", 0)]


@pytest.mark.parametrize(
    ("dialect", "version", "hashed"),
    [
        ("mssql", (11, 0), True),
        ("mssql", (10, 50), False),
        ("postgresql", (14, 1), True),
        ("postgresql", (13, 9), False),
        ("mysql", (5, 7), True),
        ("sqlite", (3, 40), False),
    ],
)
def test_servers_that_hash_rows(dialect: str, version: tuple[int, ...], hashed: bool) -> None:
    table = ErpTable("t", "t", (ErpColumn("a", Kind.TEXT, "a"),), (), ())
    shape = shape_of(table, dialect, version, {"a": "varchar(9)"})
    assert shape.hashed is hashed
    assert (shape.row_hash(("a",)) is not None) is hashed
