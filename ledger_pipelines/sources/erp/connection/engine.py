"""Engine of the ERP, with the driver of the URL and a time limit for connecting."""

import sqlalchemy as sa
from sqlalchemy.pool import NullPool

from ledger_pipelines.sources.dialects import server_of
from ledger_pipelines.sources.erp.connection.driver_packages import UNSUPPORTED, NoDriverError, missing
from ledger_pipelines.sources.erp.connection.drivers import cursor_of
from ledger_pipelines.sources.erp.connection.odbc import with_driver
from ledger_pipelines.sources.errors import SourceError, place


def erp_engine(url: sa.URL) -> sa.Engine:
    """Return an engine without a pool: passes over a table are minutes apart, so each opens a new connection.

    Raises:
        SourceError: the driver is unsupported, or the driver, a library or a package is not installed.
    """
    url = server_of(url.get_backend_name()).normalised(url)
    driver = url.get_dialect().driver
    if driver in UNSUPPORTED:
        raise SourceError(f"The ERP {place(url)} cannot be read: {UNSUPPORTED[driver]} Nothing was changed.")
    cursor = cursor_of(driver)
    try:
        engine = sa.create_engine(
            with_driver(url), connect_args=cursor.arguments(url), poolclass=NullPool, hide_parameters=True
        )
    except (ImportError, NoDriverError) as error:
        raise SourceError(f"The ERP {place(url)} cannot be read: {missing(url, error)} Nothing was changed.") from error
    cursor.prepare(engine.dialect.loaded_dbapi)
    return engine
