"""Schema of the ERP's tables: which one is read, and where else a table of the same name exists."""

import re
from collections.abc import Iterator
from dataclasses import replace

import pytest
import sqlalchemy as sa

from ledger_pipelines.sources.diagnosis import FindingLevel
from ledger_pipelines.sources.erp.catalogue import ErpColumn, ErpTable, Kind
from ledger_pipelines.sources.erp.diagnosis import diagnose
from ledger_pipelines.sources.erp.reader import ErpSource, Wanted
from ledger_pipelines.sources.errors import SourceError
from ledger_pipelines_tests.support.erp.erp_sources import DRIVERS, Source, create_source
from ledger_pipelines_tests.support.erp.erp_sources import MOVES as ALL_MOVES
from ledger_pipelines_tests.support.erp.second_schema import second_schema
from ledger_pipelines_tests.support.findings import finding_on

EVERYTHING = Wanted(everything=True)
MOVES = replace(ALL_MOVES, columns=tuple(column for column in ALL_MOVES.columns if column.name != "weight"))
"""Without the column whose type is a warning."""


@pytest.fixture(scope="module", params=DRIVERS)
def source(request: pytest.FixtureRequest) -> Iterator[Source]:
    """The ERP with each driver."""
    with create_source(request.param) as made:
        made.write("ALTER TABLE moves DROP COLUMN weight")
        made.set_moves("1, 'a', 'b', NULL, '2025-03-31', 1, 2, true")
        yield made


@pytest.fixture(scope="module")
def parts(source: Source) -> ErpTable:
    """A table of the second schema only; no other test has one of this name on the same server."""
    return ErpTable(f"parts_{source.native.url.database}", "One row a part", MOVES.columns[:1], (), ())


@pytest.fixture(scope="module")
def second(source: Source, parts: ErpTable) -> Iterator[str]:
    """A second schema, with `parts`, and with another row and another column in `moves`."""
    with second_schema(source.native) as name:
        source.write(
            f'CREATE TABLE "{name}".{parts.name} (id int)',
            f'CREATE TABLE "{name}".moves AS SELECT * FROM moves',
            f'ALTER TABLE "{name}".moves ADD colour varchar(9)',
            f'UPDATE "{name}".moves SET id = 2',
        )
        yield name


def setting_of(schema: str, table: ErpTable) -> str:
    """Return the setting that reads a table from a schema."""
    return f"LEDGER_ERP_SCHEMA={f'[{schema}]' if '.' in schema else schema}.{table.name}"


def ids(erp: ErpSource) -> list[int]:
    """Return the ids of all rows of `moves`."""
    with erp.reading(MOVES) as reading:
        assert sum(found.rows for found in reading.fingerprints().values()) == 1
        return [row[0] for chunk in reading.rows(EVERYTHING) for row in chunk]


def test_a_table_is_read_from_the_schema_that_is_set(source: Source, second: str) -> None:
    of_second = ErpSource(source.erp.engine, schemas={"moves": second})
    assert (ids(source.erp), ids(of_second)) == ([1], [2])
    assert (source.erp.check(MOVES).extra, of_second.check(MOVES).extra) == ((), ("colour",))
    of_second.by_bytes.add(MOVES.name)
    assert ids(of_second) == [2]


def test_a_schema_that_is_set_ends_the_warning(source: Source, second: str) -> None:
    default = "public" if source.is_postgresql else str(source.native.url.database)
    undecided = finding_on(diagnose(source.erp.engine.url, [MOVES]), "moves")
    listed = re.search(rf"; exists in the schemas (.*): {default} is read", undecided.found)
    assert listed
    assert {default, second} <= set(listed[1].split(", "))
    if source.is_postgresql:
        assert undecided.advice.startswith("Only the login decides which schema is read. Set LEDGER_ERP_SCHEMA=")
        assert setting_of(default, MOVES) in undecided.advice
        assert setting_of(second, MOVES) in undecided.advice
    # The URL of MariaDB names the database.
    assert undecided.level is (FindingLevel.WARNING if source.is_postgresql else FindingLevel.OK)
    chosen = [
        finding_on(diagnose(source.erp.engine.url, [MOVES], schemas={"moves": schema}), "moves")
        for schema in (default, second)
    ]
    assert [f": {default} is read" in chosen[0].found, f": {second} is read" in chosen[1].found] == [True, True]
    assert chosen[0].level is FindingLevel.OK
    assert chosen[1].advice == "Declare a column in the catalogue to copy it."


def test_a_column_of_another_schema_names_the_schemas(source: Source, second: str) -> None:
    coloured = replace(MOVES, columns=(*MOVES.columns, ErpColumn("colour", Kind.TEXT, "colour")))
    with pytest.raises(SourceError, match=r"^moves of the ERP .* lacks the column colour\. Has .* Is it the") as error:
        source.erp.check(coloured)
    assert setting_of(second, MOVES) in str(error.value)
    assert ErpSource(source.erp.engine, schemas={"moves": second}).check(coloured).columns["colour"].type


@pytest.mark.parametrize("schema", [None, "nowhere"])
def test_a_missing_table_of_another_schema_is_named(
    source: Source, second: str, parts: ErpTable, schema: str | None
) -> None:
    with pytest.raises(SourceError) as error:
        ErpSource(source.erp.engine, schemas={parts.name: schema} if schema else {}).check(parts)
    assert f"has no table or view {'nowhere.' if schema else ''}{parts.name}, or" in str(error.value)
    assert f"It exists in the schema {second}. Set {setting_of(second, parts)}, or" in str(error.value)
    assert ErpSource(source.erp.engine, schemas={parts.name: second}).check(parts).columns.keys() == {"id"}


def test_a_percent_sign_in_a_name_is_one(source: Source) -> None:
    """Drivers that format their statements double it; a name that is sent as a value must not be doubled."""
    stock = ErpTable("stock 50%", "s", MOVES.columns[:1], (), ())
    source.write('CREATE TABLE "stock 50%" (id int)', 'INSERT INTO "stock 50%" VALUES (7)')
    with source.erp.reading(stock) as reading:
        assert reading.find_schemas().read is not None
        assert sum(found.rows for found in reading.fingerprints().values()) == 1
        assert [row[0] for chunk in reading.rows(EVERYTHING) for row in chunk] == [7]
    source.write('DROP TABLE "stock 50%"')


def test_a_table_missing_from_every_schema_names_the_setting(source: Source) -> None:
    absent = ErpTable("absent", "a", MOVES.columns, (), ())
    with pytest.raises(SourceError, match=r"view nowhere\.absent, .* is nowhere in LEDGER_ERP_SCHEMA right\?"):
        ErpSource(source.erp.engine, schemas={"absent": "nowhere"}).check(absent)


@pytest.mark.parametrize("source", ["psycopg"], indirect=True)
def test_an_unreadable_schema_is_not_named(source: Source, second: str) -> None:
    user = f"r_{source.native.url.database}"
    url = source.native.url.set(username=user, password="s3cret")  # noqa: S106 - of a user made for this test
    source.write(f"CREATE USER {user} PASSWORD 's3cret'", f"GRANT SELECT ON moves TO {user}")
    try:
        without_schema = finding_on(diagnose(url, [MOVES]), "moves")
        source.write(f'GRANT USAGE ON SCHEMA "{second}" TO {user}')
        without_table = finding_on(diagnose(url, [MOVES]), "moves")
        source.write(f'GRANT SELECT ON "{second}".moves TO {user}')
        with_both = finding_on(diagnose(url, [MOVES]), "moves")
    finally:
        source.write(f"DROP OWNED BY {user}", f"DROP USER {user}")
    assert [found.level for found in (without_schema, without_table, with_both)] == [
        *(FindingLevel.OK, FindingLevel.OK),
        FindingLevel.WARNING,
    ]


def test_sqlite_reads_an_attached_database() -> None:
    table = ErpTable("parts", "One row a part", MOVES.columns[:1], (), ())
    engine = sa.create_engine("sqlite://", poolclass=sa.pool.StaticPool, connect_args={"check_same_thread": False})
    with engine.connect() as connection:
        connection.exec_driver_sql("ATTACH DATABASE ':memory:' AS second")
        connection.exec_driver_sql("CREATE TABLE second.parts (id INTEGER)")
        connection.exec_driver_sql("INSERT INTO second.parts VALUES (7)")
        connection.commit()
    with ErpSource(engine, schemas={"parts": "second"}).reading(table) as reading:
        assert list(reading.rows(EVERYTHING)) == [[(7,)]]
    with pytest.raises(SourceError, match=r"has no table or view main\.parts"):
        ErpSource(engine, schemas={"parts": "main"}).check(table)
    engine.dispose()
