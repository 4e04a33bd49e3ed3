"""Errors raised while reading the source: their messages, and that the warehouse is unchanged."""

import gc
import re
import uuid

import pytest
import sqlalchemy as sa

from ledger_pipelines.settings import parse_database_url
from ledger_pipelines.sources.billing import schema as billing_schema
from ledger_pipelines.sources.errors import SourceError
from ledger_pipelines.warehouse.engine import source_engine
from ledger_pipelines_tests.support.billing_pipeline import Pipeline
from ledger_pipelines_tests.support.builders import all_rows, fob_reading, rejections_by_id, state, user
from ledger_pipelines_tests.support.servers import free_port, fresh_database
from ledger_pipelines_tests.support.tables import altered, execute

SECRET = "-".join(("rahasia", "sekali"))


@pytest.fixture
def loaded(pipeline: Pipeline) -> Pipeline:
    """Return a pipeline that has run once."""
    deposits = '[{"date": "2025-02-01", "amount": 5}, {}]'
    pipeline.fill(
        state([user(1, deposit_history=deposits)], [fob_reading(1, 1, "2025-02-03"), fob_reading(2, 1, None)])
    )
    pipeline.run()
    assert rejections_by_id(pipeline).keys() == {"1/deposit_history/1", "2"}
    return pipeline


def failure(pipeline: Pipeline, url: sa.URL) -> str:
    """Run from an unreadable source, check that the warehouse is unchanged, and return the message."""
    before = all_rows(pipeline)
    broken = Pipeline(source_engine(url), pipeline.warehouse, pipeline.horizon)
    try:
        with pytest.raises(SourceError) as caught:
            broken.run()
    finally:
        broken.source.dispose()
    assert all_rows(pipeline) == before
    message = str(caught.value)
    assert SECRET not in message
    assert str(url.password or "no password") not in message
    assert url.render_as_string(hide_password=True) in message
    assert "LEDGER_BILLING_URL" in message
    assert "\n" not in message
    return message


@pytest.mark.parametrize("driver", ["postgresql", "mysql", "mariadb"])
def test_server_does_not_listen(loaded: Pipeline, driver: str) -> None:
    url = parse_database_url(f"{driver}://reader:{SECRET}@127.0.0.1:{free_port()}/billing")
    message = failure(loaded, url)
    assert re.search("refused", message, re.IGNORECASE)
    assert "Nothing was changed" in message


def test_unknown_host(loaded: Pipeline) -> None:
    failure(loaded, parse_database_url(f"postgresql://reader:{SECRET}@no-such-host.invalid/billing"))


def test_wrong_password(loaded: Pipeline, embedded_url: sa.URL) -> None:
    role = f"reader_{uuid.uuid4().hex[:8]}"
    owner = sa.create_engine(embedded_url, isolation_level="AUTOCOMMIT")
    try:
        with owner.connect() as connection:
            connection.execute(sa.text(f"CREATE ROLE {role} LOGIN PASSWORD 'another'"))
            message = failure(loaded, loaded.source.url.set(username=role, password=SECRET))
            connection.execute(sa.text(f"DROP ROLE {role}"))
    finally:
        owner.dispose()
    assert f'password authentication failed for user "{role}"' in message


def test_wrong_password_of_mariadb(loaded: Pipeline, mariadb_url: sa.URL) -> None:
    message = failure(loaded, mariadb_url.set(username="ledger_nobody", password=SECRET))
    assert "Access denied for user 'ledger_nobody'" in message


def test_missing_database(loaded: Pipeline) -> None:
    message = failure(loaded, loaded.source.url.set(database="ledger_test_no_such"))
    assert 'database "ledger_test_no_such" does not exist' in message


def test_table_without_select_right(loaded: Pipeline) -> None:
    role = f"reader_{uuid.uuid4().hex[:8]}"
    execute(loaded.source, f"CREATE ROLE {role} LOGIN PASSWORD '{SECRET}'", f"GRANT SELECT ON users TO {role}")
    try:
        message = failure(loaded, loaded.source.url.set(username=role, password=SECRET))
    finally:
        execute(loaded.source, f"DROP OWNED BY {role}", f"DROP ROLE {role}")
    assert "permission denied for table data_pencatatan" in message


@pytest.mark.parametrize("table", ["users", "data_pencatatan"])
def test_missing_table_is_named(loaded: Pipeline, table: str) -> None:
    with altered(loaded.source, f"ALTER TABLE {table} RENAME TO hidden", f"ALTER TABLE hidden RENAME TO {table}"):
        assert table in failure(loaded, loaded.source.url)


@pytest.mark.parametrize(
    ("table", "column"),
    [("users", "pricing_history"), ("users", "suhu"), ("users", "role"), ("data_pencatatan", "data_input")],
)
def test_missing_column_is_named(loaded: Pipeline, table: str, column: str) -> None:
    there, back = (f"ALTER TABLE {table} RENAME {old} TO {new}" for old, new in ((column, "c"), ("c", column)))
    with altered(loaded.source, there, back):
        message = failure(loaded, loaded.source.url)
    assert column in message
    assert table in message


def test_unread_column_may_be_missing(loaded: Pipeline) -> None:
    there, back = (f"ALTER TABLE users RENAME {names}" for names in ("remember_token TO c", "c TO remember_token"))
    with altered(loaded.source, there, back):
        assert [report.total.changed for report in loaded.run()] == [0] * 6


@pytest.mark.parametrize(
    ("table", "column", "message"),
    [
        ("users", "pricing_history", "users of .* lacks the column pricing_history.*LEDGER_BILLING_URL"),
        ("data_pencatatan", "data_input", "data_pencatatan of .* lacks the column data_input.*LEDGER_BILLING_URL"),
    ],
)
def test_missing_column_of_mariadb_is_named(mariadb_url: sa.URL, pipeline: Pipeline, table: str, column: str,
                                              message: str) -> None:  # fmt: skip
    with fresh_database(mariadb_url) as url:
        engine = source_engine(url)
        from_empty = Pipeline(engine, pipeline.warehouse, pipeline.horizon)
        billing_schema.metadata.create_all(engine)
        execute(engine, f"ALTER TABLE {table} DROP COLUMN {column}")
        with pytest.raises(SourceError, match=message):
            from_empty.run()
        engine.dispose()


@pytest.mark.filterwarnings("ignore:.*ServerCursor:ResourceWarning")
def test_connection_lost_while_reading_row_by_row(loaded: Pipeline) -> None:
    """The connection is lost after the first rows of a customer were read: none of them stay."""
    before = all_rows(loaded)
    loaded.fill(state([user(1)], [fob_reading(number, 1, "2025-03-03") for number in range(1, 50)]))
    broken = Pipeline(source_engine(loaded.source.url), loaded.warehouse, loaded.horizon)

    def break_off(connection: sa.Connection, _: object, statement: str, *__: object) -> None:
        if "data_pencatatan" in statement and "ORDER BY" in statement:
            pid = connection.connection.driver_connection.info.backend_pid  # type: ignore[union-attr]
            with loaded.source.connect() as other:
                other.execute(sa.text(f"SELECT pg_terminate_backend({pid})"))

    sa.event.listen(broken.source, "before_cursor_execute", break_off)
    with pytest.raises(SourceError, match="terminat"):
        broken.run(customers=[1])
    broken.source.dispose()
    gc.collect()  # the cursor of the lost connection warns when it is collected: here, where the warning is ignored
    after = all_rows(loaded)
    assert after["billing.meter_readings"] == before["billing.meter_readings"]
    assert [row for row in after["ops.rejected_rows"] if row["asset"] == "meter_readings"] == [
        row for row in before["ops.rejected_rows"] if row["asset"] == "meter_readings"
    ]
