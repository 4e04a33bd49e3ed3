"""What an administrator is told of a billing application that can be read, or cannot."""

import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa

from ledger_pipelines.horizon import Horizon
from ledger_pipelines.realtime.compare import Kind
from ledger_pipelines.sources import billing_schema
from ledger_pipelines.sources.billing_app import BillingApp
from ledger_pipelines.sources.billing_changes import POLLERS
from ledger_pipelines.sources.billing_columns import WITHOUT
from ledger_pipelines.sources.billing_diagnosis import Diagnosis, diagnose
from ledger_pipelines.sources.billing_schema import users
from ledger_pipelines.sources.billing_zone import _ahead
from ledger_pipelines.sources.diagnosis import Finding, Level
from ledger_pipelines.warehouse.engine import source_engine
from ledger_pipelines_tests import servers
from ledger_pipelines_tests.pipeline import WIB

SECRET = "-".join(("rahasia", "sekali"))
HORIZON = Horizon("2025-01", "2025-06", WIB)
NOW = datetime(2025, 6, 17, 15, 30, tzinfo=WIB)


@pytest.fixture(scope="module", params=["postgresql", "mariadb"])
def server(request: pytest.FixtureRequest, embedded_url: sa.URL) -> sa.URL:
    """Each kind of server."""
    url = embedded_url if request.param == "postgresql" else request.getfixturevalue("mariadb_url")
    assert isinstance(url, sa.URL)
    return url


@pytest.fixture
def source(server: sa.URL) -> Iterator[sa.Engine]:
    """An empty billing application."""
    with servers.fresh_database(server) as url:
        engine = source_engine(url)
        billing_schema.metadata.create_all(engine)
        yield engine
        engine.dispose()


def do(engine: sa.Engine, *statements: str | sa.Executable) -> None:
    with engine.begin() as connection:
        for statement in statements:
            connection.execute(sa.text(statement) if isinstance(statement, str) else statement)


def is_mysql(engine: sa.Engine) -> bool:
    return engine.dialect.name != "postgresql"


def diagnosed(engine: sa.Engine, now: datetime = NOW) -> Diagnosis:
    found = diagnose(BillingApp(engine, HORIZON), now)
    assert SECRET not in str(found)
    return found


def about(found: Diagnosis, what: str) -> Finding:
    """What was found about one thing."""
    (finding,) = (finding for finding in found.findings if finding.what == what)
    return finding


def levels(found: Diagnosis) -> dict[str, Level]:
    """What is not as it should be."""
    return {finding.what: finding.level for finding in found.findings if finding.level is not Level.OK}


@contextmanager
def login(engine: sa.Engine, columns: Mapping[str, Sequence[str]]) -> Iterator[sa.Engine]:
    """A login that may read some columns."""
    name = f"r_{uuid.uuid4().hex[:12]}"
    user = f"{name}@'%'" if is_mysql(engine) else name
    do(engine, f"CREATE USER {user} {'IDENTIFIED BY' if is_mysql(engine) else 'PASSWORD'} '{SECRET}'")
    for table, names in columns.items():
        do(engine, f"GRANT SELECT ({', '.join(names)}) ON {table} TO {user}")
    reader = source_engine(engine.url.set(username=name, password=SECRET))
    try:
        yield reader
    finally:
        reader.dispose()
        do(engine, *([] if is_mysql(engine) else [f"DROP OWNED BY {name}"]), f"DROP USER {user}")


def test_an_application_as_it_should_be(source: sa.Engine) -> None:
    found = diagnosed(source)
    assert levels(found) == {}
    assert found.works
    assert [finding.what for finding in found.findings] == [
        *("connection", "server", "login", "users", "data_pencatatan", "rights"),
        *("index of users", "index of data_pencatatan", "time zone"),
    ]
    assert about(found, "server").found.startswith("MariaDB 1" if is_mysql(source) else "PostgreSQL 1")
    assert "users.password, users.remember_token, which the pipeline never reads" in about(found, "rights").found
    assert [(each.table, each.column) for each in found.columns] == [
        (t, name) for t, of in WITHOUT.items() for name in of
    ]
    assert {each.level for each in found.columns} == {Level.OK}
    assert len(found.statements) == len(WITHOUT), "rights alone; the indexes are there"


def test_the_statements_suffice(source: sa.Engine) -> None:
    """A login that may read nothing of use is told what it needs; with that, and no more, the application is read."""
    with login(source, {"users": ["id"], "data_pencatatan": ["id"]}) as reader:
        refused = diagnosed(reader)
        assert not refused.works
        assert levels(refused) == dict.fromkeys(("users", "data_pencatatan", "rights"), Level.ERROR)
        assert "without role, deposit_history, pricing_history" in about(refused, "users").found
        assert not any(secret in str(refused.statements) for secret in ("password", "remember_token"))
        do(source, *refused.statements)
        granted = diagnosed(reader)
        assert granted.works
        # MySQL hides columns that may not be read, so only those that amounts need are known to be there.
        assert levels(granted).keys() == ({"users", "data_pencatatan"} if is_mysql(source) else set())


def test_rights_to_single_columns_are_enough(source: sa.Engine) -> None:
    with login(source, {table: list(of) for table, of in WITHOUT.items()}) as reader:
        found = diagnosed(reader)
    assert levels(found) == {}
    assert about(found, "rights").found == "every column that is read may be read"
    granted = [f"GRANT SELECT ({', '.join(of)}) ON " for of in WITHOUT.values()]
    assert all(statement.startswith(start) for statement, start in zip(found.statements, granted, strict=True))


def test_a_table_that_may_not_be_read(source: sa.Engine) -> None:
    with login(source, {"users": list(WITHOUT["users"])}) as reader:
        found = diagnosed(reader)
    assert not found.works
    assert about(found, "data_pencatatan").level is Level.ERROR
    assert "data_pencatatan cannot be read" in about(found, "rights").found
    assert f"GRANT SELECT ({', '.join(WITHOUT['data_pencatatan'])}) ON " in found.statements[1]


def test_an_older_schema_without_indexes(source: sa.Engine) -> None:
    do(source, *(f"INSERT INTO users (name, email, role, password) VALUES ('a', '{n}', 'fob', 'x')" for n in range(3)))
    for table in WITHOUT:
        do(source, f"DROP INDEX {table}_updated_at_index" + (f" ON {table}" if is_mysql(source) else ""))
    do(
        source,
        "ALTER TABLE users DROP COLUMN alamat, DROP COLUMN use_realtime_calculation",
        "ALTER TABLE data_pencatatan DROP COLUMN updated_at",
    )
    found = diagnosed(source)
    assert found.works
    assert levels(found) == dict.fromkeys(("users", "data_pencatatan", "index of users"), Level.WARNING)
    assert "alamat, use_realtime_calculation are missing, or may not be read" in about(found, "users").found
    assert "3 rows × 8 polls a second = 24 rows a second" in about(found, "index of users").found
    assert found.statements[2:] == ("CREATE INDEX users_updated_at_index ON users (updated_at);",)
    missing = {each.column: each for each in found.columns if each.level is not Level.OK}
    assert {name: (each.needed, each.type) for name, each in missing.items()} == dict.fromkeys(
        ("alamat", "use_realtime_calculation", "updated_at"), (False, "")
    )
    assert "automatic recalculation is on" in missing["use_realtime_calculation"].advice
    assert "full scan" in missing["updated_at"].advice
    assert "alamat" not in str(found.statements)


def test_views_in_place_of_the_tables(source: sa.Engine) -> None:
    for table, of in WITHOUT.items():
        do(source, f"ALTER TABLE {table} RENAME TO app_{table}")
        do(source, f"CREATE VIEW {table} AS SELECT {', '.join(of)} FROM app_{table}")
    assert levels(diagnosed(source)) == {}
    with login(source, {table: list(of) for table, of in WITHOUT.items()}) as reader:
        found = diagnosed(reader)
    assert found.works
    assert about(found, "users").found.startswith("a view of 0 rows")
    # MySQL shows the plan of a view only to a login that may read what is beneath.
    unknown = dict.fromkeys(("index of users", "index of data_pencatatan"), Level.WARNING) if is_mysql(source) else {}
    assert levels(found) == unknown
    assert not unknown or found.statements[2].endswith("name the table beneath it")


@pytest.mark.parametrize(("column", "table"), [("suhu", "users"), ("data_input", "data_pencatatan")])
def test_a_column_that_amounts_need_is_missing(source: sa.Engine, column: str, table: str) -> None:
    do(source, f"ALTER TABLE {table} DROP COLUMN {column}")
    found = diagnosed(source)
    assert not found.works
    assert column in about(found, table).found
    (lost,) = (each for each in found.columns if each.level is Level.ERROR)
    assert (lost.column, lost.needed) == (column, True)


def test_a_type_that_does_not_suit(source: sa.Engine) -> None:
    double = "MODIFY koreksi_meter double" if is_mysql(source) else "ALTER koreksi_meter TYPE double precision"
    whole = "MODIFY suhu int" if is_mysql(source) else "ALTER suhu TYPE int"
    do(source, f"ALTER TABLE users {double}, {whole}")
    (unsuitable,) = (each for each in diagnosed(source).columns if each.level is Level.WARNING)
    assert (unsuitable.column, unsuitable.needed) == ("koreksi_meter", True)
    assert "Cast it to decimal" in unsuitable.advice


def test_another_database_and_no_server(server: sa.URL) -> None:
    with servers.fresh_database(server) as url:
        engine = source_engine(url)
        found = diagnosed(engine)
        engine.dispose()
    assert not found.works
    assert "There is no table or view users" in about(found, "users").found
    away = source_engine(server.set(port=servers.free_port(), password=SECRET))
    (finding,) = diagnosed(away).findings
    assert (finding.level, finding.what) == (Level.ERROR, "connection")
    assert "LEDGER_BILLING_URL" in finding.found


def session_in(source: sa.Engine, zone: str) -> sa.Engine:
    """Sessions that show moments by the clock of a zone."""
    hours = datetime.now(ZoneInfo(zone)).utcoffset() or timedelta()
    offset = f"+{hours // timedelta(hours=1):02}:00"
    options = {"init_command": f"SET time_zone='{offset}'"} if is_mysql(source) else {"options": f"-c timezone={zone}"}
    return source_engine(source.url.update_query_dict(options))


@pytest.mark.parametrize(
    ("zone", "level", "words"),
    [
        ("Asia/Jakarta", Level.OK, ""),
        ("UTC", Level.WARNING, "7 hours behind"),
        ("Asia/Tokyo", Level.WARNING, "2 hours ahead of"),
    ],
)
def test_the_clock_of_the_newest_change(source: sa.Engine, zone: str, level: Level, words: str) -> None:
    """The columns hold moments in time, which each session shows by its own clock."""
    if not is_mysql(source):
        do(source, "ALTER TABLE users ALTER updated_at TYPE timestamptz")
    engine = session_in(source, zone)
    do(engine, "INSERT INTO users (name, email, role, password, updated_at) VALUES ('a', 'b', 'fob', 'x', now())")
    found = about(diagnosed(engine, datetime.now(WIB)), "time zone")
    assert (found.level, words in found.found) == (level, True)
    setting = "time_zone%3D%27%2B07%3A00%27" if is_mysql(source) else "timezone=Asia/Jakarta"
    assert (setting in found.advice) == (level is Level.WARNING)
    engine.dispose()
    if level is Level.OK:
        return
    advised = source_engine(
        sa.make_url(f"{source.url.render_as_string(False)}?{found.advice.partition('?')[2].split()[0]}")
    )
    assert about(diagnosed(advised, datetime.now(WIB)), "time zone").level is Level.OK
    advised.dispose()


def test_an_application_that_writes_by_another_clock(source: sa.Engine) -> None:
    """Columns without a time zone hold what was written: no setting of the session helps."""
    plain = "MODIFY updated_at datetime" if is_mysql(source) else "ALTER updated_at TYPE timestamp"
    do(source, f"ALTER TABLE users {plain}")
    written = datetime.now(WIB).replace(tzinfo=None) + timedelta(hours=3, minutes=20)
    do(source, sa.insert(users).values(name="a", email="b", role="fob", password=SECRET, updated_at=written))
    found = about(diagnosed(source, datetime.now(WIB)), "time zone")
    assert "4 hours ahead" in found.found
    assert "reads the rows of the last 4 hours again" in found.advice
    assert "its timezone should be Asia/Jakarta" in found.advice


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
def test_by_which_clock_a_change_was_written(newest: str, session: str, ahead: float | None) -> None:
    """The company's clock shows 15:30; an old row may be of either clock."""
    at = [datetime.fromisoformat(f"2025-06-17T{clock}") for clock in (newest, session, "15:30")]
    found = _ahead(*at)
    assert (None if found is None else found / timedelta(hours=1)) == ahead


def test_each_kind_of_change_is_a_poller() -> None:
    tables = [kind.table for kind in Kind]
    assert {table: tables.count(table) for table in tables} == POLLERS
