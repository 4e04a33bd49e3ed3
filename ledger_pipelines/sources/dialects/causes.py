"""Causes of errors: how each is recognised at any server, the advice on it, and the exception that is raised.

Here are the SQLSTATEs of the standard and of ODBC, and words that are common to drivers. Each kind of server adds its
own SQLSTATEs, error numbers and words.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from ledger_pipelines.sources.errors import SourceError, SourceInterruptedError

STATEMENT_TIMEOUT = "LEDGER_ERP_STATEMENT_TIMEOUT_SECONDS"


@dataclass(frozen=True)
class Cause:
    """Kind of error: how to recognise it, and the advice in its message.

    Attributes:
        advice: What to do; `{table}` stands for the table, `{driver}` for the advice on the ODBC driver.
        numbers: Error numbers of the server and its drivers.
        states: Prefixes of SQLSTATEs.
        words: Pattern of the driver's message, used if neither number nor SQLSTATE matches.
        vague: Prefixes of SQLSTATEs that drivers use for many errors; `words` takes precedence.
        options: Option of the URL that helps, as name and value, by SQLAlchemy's name of the driver.
        otherwise: Effect of the option; the message shows it with the whole URL, because the ERP may be configured by
            the old variables, which have no options.
        is_silence: Whether, while connecting, nothing answers at the address.
        raised: Exception class to raise.
    """

    advice: str
    numbers: tuple[int, ...] = ()
    states: tuple[str, ...] = ()
    words: str = ""
    vague: tuple[str, ...] = ()
    options: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    otherwise: str = ""
    is_silence: bool = False
    raised: type[SourceError] = SourceError

    def at_server(
        self, *numbers: int, states: tuple[str, ...] = (), words: str = "", vague: tuple[str, ...] = ()
    ) -> "Cause":
        """Return the cause as one kind of server reports it, too."""
        words = "|".join(filter(None, (self.words, words)))
        return replace(self, numbers=numbers, states=self.states + states, words=words, vague=self.vague + vague)

    def with_option(self, otherwise: str, **options: tuple[str, str]) -> "Cause":
        """Return the cause with an option of the URL that helps, by driver."""
        return replace(self, otherwise=otherwise, options=options)


UNTRUSTED = Cause(
    "This machine does not trust the server's certificate. Install the certificate of its authority.",
    words=r"certificate verify failed|certificate chain|self[- ]signed",
)
NO_COMMON_ENCRYPTION = Cause(
    "The server and this machine support no common encryption. Enable TLS 1.2 at the server (a SQL Server before "
    '2016 needs updates for that), or allow older versions here: docs/erp.md, "A server without TLS 1.2".',
    words=r"SSL routines|unsupported protocol|wrong version number|handshake failure",
)
NO_DRIVER = Cause("{driver}", states=("IM002", "IM003"), words=r"Can't open lib")
WRONG_DATABASE = Cause(
    "Check that the database in LEDGER_ERP_URL is the ERP's and that this user may connect to it.", states=("3D",)
)
WRONG_LOGIN = Cause(
    "Check the user name and the password in LEDGER_ERP_URL, and that this user may log in from this machine.",
    states=("28",),
)
DENIED = Cause("This user may not read {table}. Grant this user SELECT on {table}, and nothing else.")
NO_TABLE = Cause(
    "Is LEDGER_ERP_URL the ERP's database, and LEDGER_ERP_SCHEMA, if it is set, the right schema? Has {table} been "
    "renamed?",
    states=("42S02",),
)
NO_COLUMN = Cause(
    "Has the ERP been upgraded? {table}, or a table that this view reads, has lost a column.", states=("42S22",)
)
TOO_LONG = Cause(
    f"The time limit was exceeded. Try again when the ERP is less busy, or increase {STATEMENT_TIMEOUT}.",
    states=("HYT00", "S1T00"),
    words=r"timeout expired",
    is_silence=True,
)
CONFLICT = Cause(
    "It conflicted with another transaction at the ERP. Try again.", states=("40",), raised=SourceInterruptedError
)
LOST = Cause(
    "The connection to the ERP was lost, or its server is stopping or starting. Try again.",
    words=r"connection (?:is |was )?(?:closed|lost|reset|timed out)|broken pipe|communication link failure",
    vague=("08",),
    is_silence=True,
    raised=SourceInterruptedError,
)
COMMON = (
    *(UNTRUSTED, NO_COMMON_ENCRYPTION, NO_DRIVER, WRONG_DATABASE, WRONG_LOGIN, NO_TABLE, NO_COLUMN, TOO_LONG),
    *(CONFLICT, LOST),
)
"""Causes at a server of an unknown kind, in the order in which they are looked for."""
