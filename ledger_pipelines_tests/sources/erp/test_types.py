"""Types of PostgreSQL and MariaDB with every driver: read exactly, or refused with what to do."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, date, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from ledger_pipelines.sources.diagnosis import FindingLevel
from ledger_pipelines.sources.dialects import server_of
from ledger_pipelines.sources.dialects.postgresql import PostgreSql
from ledger_pipelines.sources.erp.catalogue import ErpColumn, ErpTable, Kind
from ledger_pipelines.sources.erp.connection.engine import erp_engine
from ledger_pipelines.sources.erp.diagnosis import diagnose
from ledger_pipelines.sources.erp.frames import Frame, frame
from ledger_pipelines.sources.erp.reader import ErpSource, Span, Wanted
from ledger_pipelines.sources.errors import SourceError, place
from ledger_pipelines_tests.support.erp.erp_sources import DRIVERS, Source, create_source
from ledger_pipelines_tests.support.findings import finding_on

JAKARTA = ZoneInfo("Asia/Jakarta")


@pytest.fixture(scope="module", params=DRIVERS)
def source(request: pytest.FixtureRequest) -> Iterator[Source]:
    """The ERP with each driver."""
    with create_source(request.param) as made:
        if made.is_postgresql:
            made.write(f"ALTER DATABASE {made.native.url.database} SET timezone = 'Asia/Jakarta'")
        yield made


def create(source: Source, columns: Mapping[str, tuple[Kind, str]], *rows: str) -> ErpTable:
    """Create the table `typed` with a column of each kind and type, and rows given as SQL values; declare it."""
    types = ", ".join(f"{name} {type_name} NULL" for name, (_, type_name) in columns.items())
    source.write(
        "DROP TABLE IF EXISTS typed",
        f"CREATE TABLE typed ({types})",
        *(f"INSERT INTO typed VALUES ({row})" for row in rows),
    )
    declared = tuple(ErpColumn(name, kind, name) for name, (kind, _) in columns.items())
    dated = tuple(name for name, (kind, _) in columns.items() if kind is Kind.DATE)
    return ErpTable("typed", "t", declared, dated, ())


def copied(source: Source, table: ErpTable) -> Frame:
    """Return the rows of a table as a sync copies them, after computing the fingerprints."""
    with source.erp.reading(table) as reading:
        assert sum(each.rows for each in reading.fingerprints().values()) > 0
        return frame(table, [row for chunk in reading.rows(Wanted(everything=True)) for row in chunk])


TEXTS_OF_POSTGRESQL = {
    "json": ("""'{"a":  1.50}'""", '{"a":  1.50}'),
    "jsonb": ("""'{"a":  1.50}'""", '{"a": 1.50}'),
    "uuid": ("'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11'", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"),
    "time": ("'23:59:59.999999'", "23:59:59.999999"),
    "time with time zone": ("'10:00:00+07'", "10:00:00+07"),
    "interval": ("'1 month 2 days 03:00:00'", "1 mon 2 days 03:00:00"),
    "integer[]": ("'{1,2}'", "{1,2}"),
    "text[]": ("""'{a,"b c"}'""", '{a,"b c"}'),
    "numeric(10,2)[]": ("'{1.5}'", "{1.50}"),
    "timestamp[]": ("'{2025-03-31 00:00:00}'", '{"2025-03-31 00:00:00"}'),
    "bit(3)": ("B'101'", "101"),
    "bit(1)": ("B'1'", "1"),
    "bit varying(5)": ("B'10'", "10"),
    "inet": ("'10.0.0.1'", "10.0.0.1/32"),
    "point": ("'(1,2)'", "(1,2)"),
    "int4range": ("'[1,3)'", "[1,3)"),
    "xml": ("'<a>é</a>'", "<a>é</a>"),
    "money": ("1234.50", "1234.50"),
    "numeric(30,20)": ("0.00000000000000000001", "0.00000000000000000001"),
    "boolean": ("true", "true"),
    "date": ("'infinity'", "infinity"),
    "timestamp": ("'2025-03-31 10:00:00.5'", "2025-03-31 10:00:00.5"),
    "timestamp with time zone": ("'2025-03-31 18:00:00+00'", "2025-04-01 01:00:00+07"),
    "timestamp(3) with time zone": ("'infinity'", "infinity"),
}
TEXTS_OF_MARIADB = {
    "time(6)": ("'-26:00:00.5'", "-26:00:00.500000"),
    "year": ("2025", "2025"),
    "uuid": ("'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"),
    "inet6": ("'::1'", "::1"),
    "json": ("'[1,  2.50]'", "[1,  2.50]"),
    "bit(1)": ("b'1'", "1"),
    "bit(9)": ("b'100000000'", "256"),
    "enum('a', 'é')": ("'é'", "é"),
    "date": ("'2025-03-31'", "2025-03-31"),
    "datetime(6)": ("'2025-03-31 10:00:00.5'", "2025-03-31 10:00:00.500000"),
    "decimal(30,20)": ("0.00000000000000000001", "0.00000000000000000001"),
}


def test_a_text_column_has_the_text_of_the_server(source: Source) -> None:
    texts = TEXTS_OF_POSTGRESQL if source.is_postgresql else TEXTS_OF_MARIADB
    columns = {f"c{number}": (Kind.TEXT, type_name) for number, type_name in enumerate(texts)}
    nothing = ", ".join(["NULL"] * len(texts))
    table = create(source, columns, ", ".join(literal for literal, _ in texts.values()), nothing)
    found = copied(source, table)
    assert not found.failures
    values, empty = found.rows.itertuples(index=False)
    assert dict(zip(texts, values, strict=True)) == {type_name: text for type_name, (_, text) in texts.items()}
    assert set(empty) == {None}


@pytest.mark.parametrize("source", ["psycopg", "psqlodbc"], indirect=True)
def test_every_type_has_extremes_before_postgresql_14(source: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without hashes of rows, the fingerprint is made of extremes and lengths, which many types lack."""
    monkeypatch.setattr(PostgreSql, "hashed_since", None)
    columns = {f"c{number}": (Kind.TEXT, type_name) for number, type_name in enumerate(TEXTS_OF_POSTGRESQL)}
    table = create(source, columns, ", ".join(literal for literal, _ in TEXTS_OF_POSTGRESQL.values()))
    assert not copied(source, table).failures


def test_numbers_of_unusual_types_are_exact(source: Source) -> None:
    columns, wanted = {"flag": (Kind.BOOLEAN, "bit(1)")}, list[tuple[object, ...]]()
    if source.is_postgresql:
        table = create(source, columns | {"amount": (Kind.DECIMAL, "money")}, "B'1', -1234567890.12", "B'0', NULL")
        wanted = [(True, Decimal("-1234567890.12")), (False, None)]
    else:
        columns |= {"flags": (Kind.INTEGER, "bit(16)"), "made": (Kind.INTEGER, "year")}
        table = create(source, columns, "b'1', b'100000000', 2025", "b'0', b'0', NULL")
        wanted = [(True, 256, 2025), (False, 0, None)]
    found = copied(source, table)
    assert not found.failures
    assert [tuple(row) for row in found.rows.itertuples(index=False)] == wanted
    with source.erp.reading(table) as reading:
        assert reading.fingerprints()[None].sums == (
            {"amount": Decimal("-1234567890.12")} if source.is_postgresql else {}
        )


@pytest.mark.parametrize(
    ("source", "type_name", "instead"),
    [
        ("psycopg", "bytea", "encode(content, 'hex') AS content"),
        *(("pymysql", of, "HEX(content) AS content") for of in ("blob", "longblob", "binary(4)", "varbinary(9)")),
        *(("pymysql", of, "ST_AsText(content) AS content") for of in ("point", "geometry", "multipolygon")),
    ],
    indirect=["source"],
)
def test_a_type_without_text_is_refused(source: Source, type_name: str, instead: str) -> None:
    table = create(source, {"id": (Kind.INTEGER, "int"), "content": (Kind.TEXT, type_name)})
    with pytest.raises(SourceError) as error:
        source.erp.check(table)
    where = f" of the ERP {place(source.erp.engine.url)}"
    reason = f"typed{where} has columns of types that cannot be copied: content ({type_name})."
    assert str(error.value).startswith(reason)
    assert f"Let a view return them as text or numbers, such as {instead}, or remove them" in str(error.value)
    found = diagnose(source.erp.engine.url, [table])
    assert not found.works
    assert finding_on(found, "typed").found == str(error.value).replace(f" {place(source.erp.engine.url)}", "")
    uncopied = ErpTable("typed", "t", table.columns[:1], (), ())
    assert finding_on(diagnose(source.erp.engine.url, [uncopied]), "typed").found.startswith("1 columns; ")


@pytest.mark.parametrize("dialect", ["mysql", "mariadb"])
def test_a_vector_is_replaced_by_its_bytes(dialect: str) -> None:
    """MySQL and MariaDB name the function for its text differently."""
    assert server_of(dialect).text_in_view("features", "vector(3)") == "HEX(features)"


@pytest.mark.parametrize("source", ["psycopg", "pymysql"], indirect=True)
def test_the_view_advised_for_a_reserved_word_works(source: Source) -> None:
    binary = "bytea" if source.is_postgresql else "blob"
    table = create(source, {"id": (Kind.INTEGER, "int"), '"group"': (Kind.TEXT, binary)}, "1, 'a'")
    table = replace(table, columns=(table.columns[0], replace(table.columns[1], name="group")))
    schema = "public" if source.is_postgresql else str(source.native.url.database)
    with pytest.raises(SourceError, match=rf"^{schema}\.typed of the ERP ") as error:
        ErpSource(source.erp.engine, schemas={"typed": schema}).check(table)
    _, _, rest = str(error.value).partition(", such as ")
    source.write(f"CREATE OR REPLACE VIEW replaced AS SELECT id, {rest.partition(', or remove')[0]} FROM typed")
    assert list(copied(source, replace(table, name="replaced")).rows["group"]) == ["61"]
    source.write("DROP VIEW replaced")


def test_a_moment_has_the_day_of_the_session(source: Source) -> None:
    type_name = "timestamp with time zone" if source.is_postgresql else "timestamp"
    table = create(source, {"id": (Kind.INTEGER, "int"), "moved": (Kind.DATE, type_name)})
    moments = ["2025-03-31 16:59:59", "2025-03-31 17:00:00", "2025-04-01 16:59:59", "2025-04-01 17:00:00"]
    with source.native.begin() as connection:
        connection.exec_driver_sql("SET timezone = 'UTC'" if source.is_postgresql else "SET time_zone = '+00:00'")
        for number, moment in enumerate(moments):
            connection.exec_driver_sql(f"INSERT INTO typed VALUES ({number}, '{moment}')")
    erp = source.erp
    name = "initstmt" if source.driver == "mariadb-odbc" else "init_command"
    if not source.is_postgresql:
        erp = ErpSource(erp_engine(erp.engine.url.update_query_dict({name: "SET time_zone = '+07:00'"})))
    days = [date(2025, 3, 31), *[date(2025, 4, 1)] * 2, date(2025, 4, 2)]
    with erp.reading(table) as reading:
        assert {day: each.rows for day, each in reading.fingerprints().items()} == {
            day: days.count(day) for day in days
        }
        rows = [row for chunk in reading.rows(Wanted(everything=True)) for row in chunk]
        assert frame(table, sorted(rows)).days == days
        for day in set(days):
            chunks = reading.rows(Wanted((Span(day, day + timedelta(1)),)))
            assert sum(map(len, chunks)) == days.count(day)
    in_jakarta = diagnose(erp.engine.url, [table], zone=JAKARTA)
    assert {column.level for column in in_jakarta.columns} == {FindingLevel.OK}
    in_utc = diagnose(erp.engine.url, [table], zone=UTC)
    (finding,) = (column for column in in_utc.columns if column.advice)
    assert (finding.level, finding.column) == (FindingLevel.WARNING, "moved")
    zone = "Asia/Jakarta" if source.is_postgresql else "+07:00"
    advised = {
        "psycopg": "Add ?options=-c%20timezone=UTC to",
        "psqlodbc": "Add &options=-c%20timezone=UTC to",
    }.get(source.driver, f"Include SET%20time_zone%3D%27%2B00%3A00%27 in the option {name} of")
    assert f"converts each value to the session's time zone, {zone}, so a copied day may differ" in finding.advice
    assert f"{advised} LEDGER_ERP_URL, or cast the column in a view." in finding.advice
    if erp is not source.erp:
        erp.engine.dispose()


@pytest.mark.parametrize("source", ["psycopg"], indirect=True)
@pytest.mark.parametrize(
    ("type_name", "one", "other"),
    [
        ("text COLLATE no_case", "'a'", "'A'"),
        ("varchar(9) COLLATE no_case", "'a'", "'A'"),
        ("folded", "'a'", "'A'"),
        ("double precision", "0", "'-0'"),
        ("real", "0", "'-0'"),
    ],
)
def test_values_that_compare_as_equal_have_other_digests(source: Source, type_name: str, one: str, other: str) -> None:
    source.write(
        "CREATE COLLATION IF NOT EXISTS no_case (provider = icu, locale = 'und-u-ks-level2', deterministic = false)",
        "DROP DOMAIN IF EXISTS folded CASCADE",
        "CREATE DOMAIN folded AS text COLLATE no_case",
    )
    digests = set()
    for value in (one, other):
        table = create(source, {"value": (Kind.TEXT, type_name)}, value)
        with source.erp.reading(table) as reading:
            digests.add(reading.fingerprints()[None].digest)
    assert len(digests) == 2


@pytest.mark.parametrize("source", ["psycopg", "pymysql"], indirect=True)
def test_another_time_zone_changes_digests(source: Source) -> None:
    """The copied day of a moment changes with the zone, also in a column that decides no month."""
    type_name = "timestamp with time zone" if source.is_postgresql else "timestamp"
    columns = {"ordered": (Kind.DATE, "date"), "moved": (Kind.DATE, type_name)}
    table = replace(create(source, columns, "'2025-03-31', '2025-03-31 17:00:00'"), month_columns=("ordered",))
    options = {"options": "-c timezone={}"} if source.is_postgresql else {"init_command": "SET time_zone = '{}'"}
    digests = set()
    for zone in ("+00:00", "+07:00"):
        option = {name: setting.format(zone) for name, setting in options.items()}
        erp = ErpSource(erp_engine(source.erp.engine.url.update_query_dict(option)))
        with erp.reading(table) as reading:
            digests.add(reading.fingerprints()[date(2025, 3, 31)].digest)
        erp.engine.dispose()
    assert len(digests) == 2
