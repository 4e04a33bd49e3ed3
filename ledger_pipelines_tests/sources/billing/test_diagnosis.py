"""Findings of the connection test of the billing application, if it can be read and if not."""

import re
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa

from ledger_pipelines.horizon import Horizon
from ledger_pipelines.realtime.diff import ChangeKind
from ledger_pipelines.sources.billing import schema as billing_schema
from ledger_pipelines.sources.billing.changes import POLLERS_PER_TABLE
from ledger_pipelines.sources.billing.columns import EFFECT_IF_MISSING
from ledger_pipelines.sources.billing.diagnosis import BillingDiagnosis, diagnose
from ledger_pipelines.sources.billing.reader import BillingSource
from ledger_pipelines.sources.billing.schema import users
from ledger_pipelines.sources.billing.time_zone import _time_ahead
from ledger_pipelines.sources.diagnosis import FindingLevel
from ledger_pipelines.warehouse.engine import source_engine
from ledger_pipelines_tests.support import servers
from ledger_pipelines_tests.support.billing_pipeline import WIB
from ledger_pipelines_tests.support.findings import finding_on
from ledger_pipelines_tests.support.tables import execute

SECRET = "-".join(("rahasia", "sekali"))
HORIZON = Horizon("2025-01", "2025-06", WIB)
NOW = datetime(2025, 6, 17, 15, 30, tzinfo=WIB)


@pytest.fixture
def source(source_server: sa.URL) -> Iterator[sa.Engine]:
    """Engine of an empty billing application."""
    with servers.fresh_database(source_server) as url:
        engine = source_engine(url)
        billing_schema.metadata.create_all(engine)
        yield engine
        engine.dispose()


def is_mysql(engine: sa.Engine) -> bool:
    return engine.dialect.name != "postgresql"


def without_comment(statement: str) -> str:
    """Return a statement that a driver accepts, which clients split from the comment behind it."""
    return statement.partition(";")[0]


def run_diagnosis(engine: sa.Engine, now: datetime = NOW) -> BillingDiagnosis:
    found = diagnose(BillingSource(engine, HORIZON), now)
    assert SECRET not in str(found)
    return found


def problem_levels(found: BillingDiagnosis) -> dict[str, FindingLevel]:
    """Return the levels of the findings that are not OK."""
    return {finding.what: finding.level for finding in found.findings if finding.level is not FindingLevel.OK}


@contextmanager
def login(engine: sa.Engine, columns: Mapping[str, Sequence[str]]) -> Iterator[sa.Engine]:
    """Create a login that may read these columns only."""
    name = f"r_{uuid.uuid4().hex[:12]}"
    user = f"{name}@'%'" if is_mysql(engine) else name
    execute(engine, f"CREATE USER {user} {'IDENTIFIED BY' if is_mysql(engine) else 'PASSWORD'} '{SECRET}'")
    for table, names in columns.items():
        execute(engine, f"GRANT SELECT ({', '.join(names)}) ON {table} TO {user}")
    reader = source_engine(engine.url.set(username=name, password=SECRET))
    try:
        yield reader
    finally:
        reader.dispose()
        execute(engine, *([] if is_mysql(engine) else [f"DROP OWNED BY {name}"]), f"DROP USER {user}")


def test_a_valid_application(source: sa.Engine) -> None:
    found = run_diagnosis(source)
    assert problem_levels(found) == {}
    assert found.is_usable
    assert [finding.what for finding in found.findings] == [
        *("connection", "server", "login", "users", "data_pencatatan", "rights"),
        *("index of users", "index of data_pencatatan", "time zone"),
    ]
    assert finding_on(found, "server").found.startswith("MariaDB 1" if is_mysql(source) else "PostgreSQL 1")
    assert "users.password, users.remember_token, which the pipeline never reads" in finding_on(found, "rights").found
    assert [(each.table, each.column) for each in found.columns] == [
        (t, name) for t, of in EFFECT_IF_MISSING.items() for name in of
    ]
    assert {each.level for each in found.columns} == {FindingLevel.OK}
    assert len(found.statements) == len(EFFECT_IF_MISSING), "grants only, because the indexes exist"


def test_the_statements_suffice(source: sa.Engine) -> None:
    """The printed statements grant exactly the rights that a login needs."""
    with login(source, {"users": ["id"], "data_pencatatan": ["id"]}) as reader:
        refused = run_diagnosis(reader)
        assert not refused.is_usable
        assert problem_levels(refused) == dict.fromkeys(("users", "data_pencatatan", "rights"), FindingLevel.ERROR)
        assert "without role, deposit_history, pricing_history" in finding_on(refused, "users").found
        assert not any(secret in str(refused.statements) for secret in ("password", "remember_token"))
        assert "updated_at of neither table can be read" in finding_on(refused, "time zone").found or not is_mysql(
            source
        )
        execute(source, *map(without_comment, refused.statements))
        granted = run_diagnosis(reader)
        assert problem_levels(granted) == {}
        assert len(granted.statements) == len(EFFECT_IF_MISSING)


@pytest.mark.parametrize("columns", [{}, {"users": ["id"]}, {"users": ["id"], "data_pencatatan": ["id"]}])
def test_grants_suffice_on_an_older_schema(source: sa.Engine, columns: Mapping[str, Sequence[str]]) -> None:
    """Hidden columns are granted one by one, because the server refuses to grant a column that does not exist."""
    execute(source, "ALTER TABLE users DROP COLUMN alamat, DROP COLUMN no_kontrak")
    refused_by_server = []
    with login(source, columns) as reader:
        for statement in run_diagnosis(reader).statements:
            try:
                execute(source, without_comment(statement))
            except sa.exc.DBAPIError:
                refused_by_server.append(statement)
        found = run_diagnosis(reader)
    assert problem_levels(found) == {"users": FindingLevel.WARNING}
    assert "no_kontrak, alamat are missing" in finding_on(found, "users").found
    assert len(refused_by_server) == (0 if columns and not is_mysql(source) else 2)
    assert all(statement.endswith("-- if users has this column") for statement in refused_by_server)


def test_rights_to_single_columns_are_enough(source: sa.Engine) -> None:
    with login(source, {table: list(of) for table, of in EFFECT_IF_MISSING.items()}) as reader:
        found = run_diagnosis(reader)
    assert problem_levels(found) == {}
    assert finding_on(found, "rights").found == "every column that is read is readable"
    granted = [f"GRANT SELECT ({', '.join(of)}) ON " for of in EFFECT_IF_MISSING.values()]
    assert all(statement.startswith(start) for statement, start in zip(found.statements, granted, strict=True))


def test_an_unreadable_table(source: sa.Engine) -> None:
    with login(source, {"users": list(EFFECT_IF_MISSING["users"])}) as reader:
        found = run_diagnosis(reader)
    assert not found.is_usable
    assert finding_on(found, "data_pencatatan").level is FindingLevel.ERROR
    assert "data_pencatatan cannot be read" in finding_on(found, "rights").found
    needed, *optional = found.statements[1:]
    assert needed.startswith("GRANT SELECT (id, customer_id, data_input) ON ")
    assert [statement.partition("(")[2].partition(")")[0] for statement in optional] == [
        *("harga_final", "status_pembayaran", "created_at", "updated_at"),
    ]


def test_an_older_schema_without_indexes(source: sa.Engine) -> None:
    execute(
        source, *(f"INSERT INTO users (name, email, role, password) VALUES ('a', '{n}', 'fob', 'x')" for n in range(3))
    )
    for table in EFFECT_IF_MISSING:
        execute(source, f"DROP INDEX {table}_updated_at_index" + (f" ON {table}" if is_mysql(source) else ""))
    execute(
        source,
        "ALTER TABLE users DROP COLUMN alamat, DROP COLUMN use_realtime_calculation",
        "ALTER TABLE data_pencatatan DROP COLUMN updated_at",
    )
    found = run_diagnosis(source)
    assert found.is_usable
    assert problem_levels(found) == dict.fromkeys(("users", "data_pencatatan", "index of users"), FindingLevel.WARNING)
    assert "alamat, use_realtime_calculation are missing or unreadable" in finding_on(found, "users").found
    assert "3 rows × 8 polls a second = 24 rows a second" in finding_on(found, "index of users").found
    schema = source.url.database if is_mysql(source) else "public"
    assert found.statements[2:] == (f"CREATE INDEX users_updated_at_index ON {schema}.users (updated_at);",)
    missing = {each.column: each for each in found.columns if each.level is not FindingLevel.OK}
    assert {name: (each.needed, each.type) for name, each in missing.items()} == dict.fromkeys(
        ("alamat", "use_realtime_calculation", "updated_at"), (False, "")
    )
    assert "automatic recalculation is on" in missing["use_realtime_calculation"].advice
    assert "full scan" in missing["updated_at"].advice
    assert "alamat" not in str(found.statements)


def test_views_in_place_of_the_tables(source: sa.Engine) -> None:
    for table, of in EFFECT_IF_MISSING.items():
        execute(source, f"ALTER TABLE {table} RENAME TO app_{table}")
        execute(source, f"CREATE VIEW {table} AS SELECT {', '.join(of)} FROM app_{table}")
    assert problem_levels(run_diagnosis(source)) == {}
    with login(source, {table: list(of) for table, of in EFFECT_IF_MISSING.items()}) as reader:
        found = run_diagnosis(reader)
    assert found.is_usable
    assert finding_on(found, "users").found.startswith("a view of 0 rows")
    # MySQL shows the plan of a view only to a login that may read the underlying tables.
    unknown = (
        dict.fromkeys(("index of users", "index of data_pencatatan"), FindingLevel.WARNING) if is_mysql(source) else {}
    )
    assert problem_levels(found) == unknown
    assert not unknown or found.statements[2].endswith("replace the view with its underlying table")


@pytest.mark.parametrize(("column", "table"), [("suhu", "users"), ("data_input", "data_pencatatan")])
def test_a_needed_column_is_missing(source: sa.Engine, column: str, table: str) -> None:
    execute(source, f"ALTER TABLE {table} DROP COLUMN {column}")
    found = run_diagnosis(source)
    assert not found.is_usable
    assert column in finding_on(found, table).found
    (lost,) = (each for each in found.columns if each.level is FindingLevel.ERROR)
    assert (lost.column, lost.needed) == (column, True)


def test_an_unsuitable_type(source: sa.Engine) -> None:
    double = "MODIFY koreksi_meter double" if is_mysql(source) else "ALTER koreksi_meter TYPE double precision"
    whole = "MODIFY suhu int" if is_mysql(source) else "ALTER suhu TYPE int"
    execute(source, f"ALTER TABLE users {double}, {whole}")
    (unsuitable,) = (each for each in run_diagnosis(source).columns if each.level is FindingLevel.WARNING)
    assert (unsuitable.column, unsuitable.needed) == ("koreksi_meter", True)
    assert "Cast it to decimal" in unsuitable.advice


def test_a_wrong_database_and_no_server(source_server: sa.URL) -> None:
    with servers.fresh_database(source_server) as url:
        engine = source_engine(url)
        found = run_diagnosis(engine)
        engine.dispose()
    assert not found.is_usable
    assert "There is no table or view users" in finding_on(found, "users").found
    away = source_engine(source_server.set(port=servers.free_port(), password=SECRET))
    (finding,) = run_diagnosis(away).findings
    assert (finding.level, finding.what) == (FindingLevel.ERROR, "connection")
    assert "LEDGER_BILLING_URL" in finding.found


def engine_in_zone(source: sa.Engine, zone: str) -> sa.Engine:
    """Return an engine whose sessions are in a time zone."""
    hours = datetime.now(ZoneInfo(zone)).utcoffset() or timedelta()
    offset = f"+{hours // timedelta(hours=1):02}:00"
    options = {"init_command": f"SET time_zone='{offset}'"} if is_mysql(source) else {"options": f"-c timezone={zone}"}
    return source_engine(source.url.update_query_dict(options))


@pytest.mark.parametrize(
    ("zone", "level", "words"),
    [
        ("Asia/Jakarta", FindingLevel.OK, ""),
        ("UTC", FindingLevel.WARNING, "7 hours behind"),
        ("Asia/Tokyo", FindingLevel.WARNING, "2 hours ahead of"),
    ],
)
def test_the_time_zone_of_the_session(source: sa.Engine, zone: str, level: FindingLevel, words: str) -> None:
    """Columns with a time zone are converted to the time zone of each session."""
    if not is_mysql(source):
        execute(source, "ALTER TABLE users ALTER updated_at TYPE timestamptz")
    engine = engine_in_zone(source, zone)
    execute(engine, "INSERT INTO users (name, email, role, password, updated_at) VALUES ('a', 'b', 'fob', 'x', now())")
    found = finding_on(run_diagnosis(engine, datetime.now(WIB)), "time zone")
    assert (found.level, words in found.found) == (level, True)
    setting = "time_zone%3D%27%2B07%3A00%27" if is_mysql(source) else "timezone=Asia/Jakarta"
    assert (setting in found.advice) == (level is FindingLevel.WARNING)
    engine.dispose()
    if level is FindingLevel.OK:
        return
    value, option = re.findall(r"Include (\S+) in the option (\S+) of LEDGER_BILLING_URL", found.advice)[0]
    advised = source_engine(sa.make_url(f"{source.url.render_as_string(False)}?{option}={value}"))
    assert finding_on(run_diagnosis(advised, datetime.now(WIB)), "time zone").level is FindingLevel.OK
    advised.dispose()


def test_an_application_with_another_clock(source: sa.Engine) -> None:
    """Columns without a time zone are not converted, so no session setting helps."""
    plain = "MODIFY updated_at datetime" if is_mysql(source) else "ALTER updated_at TYPE timestamp"
    execute(source, f"ALTER TABLE users {plain}")
    written = datetime.now(WIB).replace(tzinfo=None) + timedelta(hours=3, minutes=20)
    execute(source, sa.insert(users).values(name="a", email="b", role="fob", password=SECRET, updated_at=written))
    found = finding_on(run_diagnosis(source, datetime.now(WIB)), "time zone")
    assert "4 hours ahead" in found.found
    assert "reads the rows of the last 4 hours again" in found.advice
    assert "set the application's timezone to Asia/Jakarta" in found.advice


@pytest.mark.parametrize(
    ("newest", "session", "ahead"),
    [
        ("15:29", "08:30", 0),
        ("08:29", "08:30", -7),
        ("16:59", "17:00", 1.5),
        ("19:10", "08:30", 4),
        ("15:00", "15:30", 0),
        ("12:00", "08:30", 0),
        ("07:00", "08:30", None),
        ("12:00", "17:00", None),
    ],
)
def test_time_ahead_of_the_company_clock(newest: str, session: str, ahead: float | None) -> None:
    """The company's clock shows 15:30; an old row may come from either clock."""
    at = [datetime.fromisoformat(f"2025-06-17T{clock}") for clock in (newest, session, "15:30")]
    found = _time_ahead(*at)
    assert (None if found is None else found / timedelta(hours=1)) == ahead


def test_each_kind_of_change_has_a_poller() -> None:
    tables = [kind.table for kind in ChangeKind]
    assert {table: tables.count(table) for table in tables} == POLLERS_PER_TABLE
