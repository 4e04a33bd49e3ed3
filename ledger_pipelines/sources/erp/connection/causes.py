"""Causes of the drivers' errors: how each is recognised, the advice on it, and the exception that is raised.

Errors are recognised by SQLSTATE and by the error numbers of MySQL and SQL Server, else by their text.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ledger_pipelines.sources.errors import SourceError

STATEMENT_TIMEOUT = "LEDGER_ERP_STATEMENT_TIMEOUT_SECONDS"


class SourceInterruptedError(SourceError):
    """A read was interrupted, or its table changed meanwhile: lost connection, deadlock, lock timeout."""

    retryable = True


class SnapshotRefusedError(SourceError):
    """A view cannot be read in a snapshot although its database supports them; read it without."""


class SourceUnreachableError(SourceError):
    """Nothing answers at the source's address. A retry may succeed if it answered shortly before."""


@dataclass(frozen=True)
class Cause:
    """Kind of error: how to recognise it, and the advice in its message.

    Attributes:
        states: Prefixes of SQLSTATEs.
        mysql: Error numbers of MySQL and MariaDB.
        sql_server: Error numbers of SQL Server and of FreeTDS.
        words: Pattern of the driver's message, used if neither number nor SQLSTATE matches.
        vague: Prefixes of SQLSTATEs that drivers use for many errors; `words` takes precedence.
        advice: What to do; `{table}` stands for the table, `{driver}` for the advice on the ODBC driver.
        options: Option of the URL that helps, as name and value, by SQLAlchemy's driver for SQL Server.
        otherwise: Effect of the option; the message shows it with the whole URL, because the ERP may be configured by
            the old variables, which have no options.
        raised: Exception class to raise.
    """

    advice: str
    states: tuple[str, ...] = ()
    mysql: tuple[int, ...] = ()
    sql_server: tuple[int, ...] = ()
    words: str = ""
    vague: tuple[str, ...] = ()
    options: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    otherwise: str = ""
    raised: type[SourceError] = SourceError


_LOST_BY_FREETDS = (20004, 20006, 20017, 20047)
"""Read failed, write failed, connection closed by the server, connection closed."""

TOO_LONG = Cause(
    f"The time limit was exceeded. Try again when the ERP is less busy, or increase {STATEMENT_TIMEOUT}.",
    states=("57014", "HYT00", "S1T00"),
    mysql=(1969, 3024, 1317),
    # FreeTDS: "Adaptive Server connection timed out", also raised when a statement exceeds its time limit.
    sql_server=(20003,),
    words=r"timeout expired",
)
LOST = Cause(
    "The connection to the ERP was lost, or its server is stopping or starting. Try again.",
    states=("57P", "53300"),
    mysql=(1040, 1053, 1077, 1080, 1158, 1159, 1160, 1161, 1184, 1927, 2006, 2013, 2055),
    sql_server=(*_LOST_BY_FREETDS, 233, 596, 601, 6005, 6006, 10053, 10054, 10060, 17830, 40197, 40501, 40613),
    words=r"server closed the connection|connection (?:is |was )?(?:closed|lost|reset|timed out)|broken pipe"
    r"|communication link failure|terminating connection|Read from the server failed|Write to the server failed"
    # FreeTDS by ODBC gives no other reason for a connection that was reset.
    r"|Unexpected EOF from the server|DBPROCESS is dead|\[FreeTDS\]\[SQL Server\]Unknown error"
    r"|consuming input failed|sending query failed|could not receive data",
    # FreeTDS: 24000, an invalid state of the cursor, follows after a lost connection.
    vague=("08", "24000"),
    raised=SourceInterruptedError,
)
_CAUSES = (
    Cause(
        "This machine does not trust the server's certificate. Install the certificate of its authority.",
        words=r"certificate verify failed|certificate chain|self[- ]signed",
        options={"pyodbc": ("TrustServerCertificate", "yes")},
        otherwise="If you control the network between the two, any certificate can be trusted",
    ),
    Cause(
        "The server and this machine support no common encryption. Enable TLS 1.2 at the server (a SQL Server before "
        '2016 needs updates for that), or allow older versions here: docs/erp.md, "A server without TLS 1.2".',
        words=r"SSL Provider|SSL routines|unsupported protocol|wrong version number|handshake failure",
        options={"pyodbc": ("driver", "FreeTDS")},
        otherwise="FreeTDS may support older versions",
    ),
    Cause(
        "The server offers no encryption, which this driver requires. Enable it at the server.",
        words=r"encryption not supported",
        options={"pyodbc": ("Encrypt", "no")},
        otherwise="If you control the network between the two, it can be read without encryption",
    ),
    Cause(
        "The server answered, but ended the login: it is stopping or starting, or the two support no common encryption "
        '(docs/erp.md, "A server without TLS 1.2").',
        # FreeTDS: "connection failed", as opposed to 20009, "unavailable".
        sql_server=(20002,),
        raised=SourceUnreachableError,
    ),
    Cause(
        "{driver}",
        states=("IM002", "IM003"),
        words=r"Can't open lib",
    ),
    # Before the login: SQL Server adds "Login failed" to the message that it cannot open the database.
    Cause(
        "Check that the database in LEDGER_ERP_URL is the ERP's and that this user may connect to it.",
        states=("3D",),
        mysql=(1044, 1049),
        sql_server=(4060, 911, 916),
        words=r"database \".*\" does not exist",
    ),
    Cause(
        "Check the user name and the password in LEDGER_ERP_URL, and that this user may log in from this machine.",
        states=("28",),
        mysql=(1045, 1698),
        sql_server=(18456, 18452, 18470, 18486, 18487, 18488),
        words=r"password authentication failed|no password supplied|no pg_hba.conf entry|role \".*\" does not exist",
    ),
    Cause(
        "This user may not read {table}. Grant this user SELECT on {table}, and nothing else.",
        states=("42501",),
        mysql=(1142, 1143, 1370, 1356),
        sql_server=(229, 230, 300),
    ),
    Cause(
        "Is LEDGER_ERP_URL the ERP's database, and LEDGER_ERP_SCHEMA, if it is set, the right schema? Has {table} been "
        "renamed?",
        states=("42P01", "42S02"),
        mysql=(1146,),
        sql_server=(208,),
    ),
    Cause(
        "Has the ERP been upgraded? {table}, or a table that this view reads, has lost a column.",
        states=("42703", "42S22"),
        mysql=(1054,),
        sql_server=(207, 4413, 4502),
    ),
    Cause(
        "The connected database allows snapshots, but something that this view reads does not: another database, a "
        "linked server, or a memory-optimized table.",
        sql_server=(3952, 7420, 41332),
        raised=SnapshotRefusedError,
    ),
    Cause(
        "The availability group has no replica for read-only connections. Let a secondary be readable.",
        sql_server=(979, 982),
        options={"pyodbc": ("ApplicationIntent", "ReadWrite"), "pymssql": ("read_only", "false")},
        otherwise="Or read the primary replica",
    ),
    Cause(
        "This replica of the availability group accepts read-only connections only.",
        sql_server=(978,),
        options={"pyodbc": ("ApplicationIntent", "ReadOnly"), "pymssql": ("read_only", "true")},
        otherwise="Open one",
    ),
    Cause(
        "This replica of the availability group is not readable. Let it be readable, or name the listener of the group "
        "in LEDGER_ERP_URL.",
        sql_server=(976,),
    ),
    Cause(
        "The availability group is failing over. Try again.",
        sql_server=(983, 988),
        raised=SourceInterruptedError,
    ),
    TOO_LONG,
    Cause(
        "It conflicted with another transaction at the ERP. Try again.",
        states=("40", "55P03", "25P03"),
        mysql=(1205, 1213, 1412, 3572),
        sql_server=(1205, 1222, 3960, 3961, 3966),
        raised=SourceInterruptedError,
    ),
    Cause(
        "SQL Server is out of memory, locks or space for row versions at the moment. Try again.",
        sql_server=(701, 1204, 3958, 3967, 8645),
        raised=SourceInterruptedError,
    ),
    LOST,
)

# pyodbc joins the driver's messages with "; [", each followed by the server's error number. Brackets within a message,
# such as OpenSSL's reason, belong to the message.
_NUMBERS_BY_ODBC = re.compile(r"\((-?\d+)\)(?: \(SQL\w+\))?(?=; \[|$)", re.MULTILINE)


def cause_of(error: BaseException, dialect: str) -> Cause | None:
    """Return the cause by number, else by SQLSTATE, else by message: a name in the text must not override a number."""
    numbers, state, text = _numbers_of(error, dialect), state_of(error) or "", str(error) or type(error).__name__

    def by_number(cause: Cause) -> bool:
        return not numbers.isdisjoint(cause.sql_server if dialect == "mssql" else cause.mysql)

    def by_words(cause: Cause) -> bool:
        return bool(cause.words) and re.search(cause.words, text, re.IGNORECASE) is not None

    passes: tuple[Callable[[Cause], bool], ...] = (
        by_number,
        lambda cause: state.startswith(cause.states),
        by_words,
        lambda cause: state.startswith(cause.vague),
    )
    return next((cause for is_it in passes for cause in _CAUSES if is_it(cause)), None)


def state_of(error: BaseException) -> str | None:
    """Return the SQLSTATE, which is an attribute in psycopg and the first argument in pyodbc."""
    state = getattr(error, "sqlstate", None)
    if state is None and error.args and isinstance(error.args[0], str) and re.fullmatch(r"\w{5}", error.args[0]):
        state = error.args[0]
    return state if isinstance(state, str) else None


def _numbers_of(error: BaseException, dialect: str) -> frozenset[int]:
    """Return the server's error numbers: the first argument of MySQL's drivers and pymssql, in the text with ODBC."""
    arguments = arguments_of(error)
    if arguments and isinstance(arguments[0], int):
        return frozenset((arguments[0],))
    if dialect not in {"mssql", "mysql", "mariadb"} or len(error.args) < 2:
        return frozenset()
    return frozenset(map(int, _NUMBERS_BY_ODBC.findall(str(error.args[1]))))


def arguments_of(error: BaseException) -> tuple[Any, ...]:
    """Return the arguments of a driver's error; while connecting, pymssql nests them in the first argument."""
    nested = len(error.args) == 1 and isinstance(error.args[0], tuple)
    return error.args[0] if nested else error.args
