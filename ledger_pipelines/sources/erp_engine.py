"""An engine for the ERP: by the driver that is there, with a limit to how long connecting may take."""

import sqlalchemy as sa
from sqlalchemy.pool import NullPool

from ledger_pipelines.sources.erp_errors import place
from ledger_pipelines.sources.erp_install import NoDriverError, missing
from ledger_pipelines.sources.erp_odbc import with_driver
from ledger_pipelines.sources.errors import SourceError

CONNECT_SECONDS = 10
_ARGUMENTS = {"psycopg": "connect_timeout", "pymysql": "connect_timeout", "pyodbc": "timeout"}


def erp_engine(url: sa.URL) -> sa.Engine:
    """An engine that connects anew for each pass over a table: minutes lie between two of them.

    Raises:
        SourceError: the driver, or a library or package that it needs, is not installed.
    """
    argument = _ARGUMENTS.get(url.get_dialect().driver)
    try:
        return sa.create_engine(
            with_driver(url),
            connect_args={argument: CONNECT_SECONDS} if argument else {},
            poolclass=NullPool,
            hide_parameters=True,
        )
    except (ImportError, NoDriverError) as error:
        raise SourceError(f"The ERP {place(url)} cannot be read: {missing(url, error)} Nothing was changed.") from error
