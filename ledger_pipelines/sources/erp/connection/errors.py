"""Translation of driver errors into messages that an administrator can act on, without passwords.

What the errors mean, and what to do, is in `causes.py`.
"""

import re
from urllib.parse import quote, quote_plus

import sqlalchemy as sa
from sqlalchemy import exc

from ledger_pipelines.sources.erp.connection.causes import (
    LOST,
    STATEMENT_TIMEOUT,
    TOO_LONG,
    SourceInterruptedError,
    SourceUnreachableError,
    arguments_of,
    cause_of,
    state_of,
)
from ledger_pipelines.sources.erp.connection.driver_packages import setting
from ledger_pipelines.sources.erp.connection.odbc import as_written, unloadable
from ledger_pipelines.sources.errors import SourceError, place

_UNREACHABLE = "Check the host and the port in LEDGER_ERP_URL, that the server is up, and that no firewall blocks it."
_UNKNOWN = "This is the server's message; ask the administrator of the ERP."
_UNREADABLE = "The driver in LEDGER_ERP_URL cannot read one of its values."
_TAGS_OF_ODBC = re.compile(r"(?:^|(?<=; ))(?:\[[^\]]*\] ?)+| \(-?\d+\)(?=; \[|$| \(SQL\w+\))| \(SQL\w+\)", re.MULTILINE)
_TAGS_OF_PYMSSQL = re.compile(r"DB-Lib error message \d+, severity \d+:\n")
_COMMON_TAIL = "Nothing was changed."


def explained(error: BaseException, url: sa.URL, table: str | None = None, *, connecting: bool = False) -> SourceError:
    """Return the exception with an explanation of a driver's error.

    Args:
        error: Error of the driver, or SQLAlchemy's wrapper of it.
        url: URL of the ERP.
        table: Table that was being read.
        connecting: Whether the error occurred while connecting.
    """
    original = error.orig if isinstance(error, exc.DBAPIError) and error.orig is not None else error
    cause = cause_of(original, url.get_backend_name())
    # A statement, and SQLAlchemy's use of a connection that it has found lost, fail after the login only.
    logged_in = isinstance(error, exc.ResourceClosedError) or getattr(error, "statement", None) is not None
    connecting = connecting and not logged_in
    what = f"The ERP {place(url)} cannot be {'reached' if connecting else 'read'}"
    if table is not None:
        what = f"{table} cannot be read from the ERP {place(url)}"
    raised, advice = SourceError, _UNREADABLE if isinstance(original, ValueError | ArithmeticError) else _UNKNOWN
    if cause is not None:
        driver = unloadable(url) if "{driver}" in cause.advice else ""
        raised, advice = cause.raised, cause.advice.format(table=table or "the tables", driver=driver)
        if (option := cause.options.get(url.get_dialect().driver)) and url.get_backend_name() == "mssql":
            advice += f" {cause.otherwise}: {_with_option(url, *option)}."
    if connecting and cause in (None, LOST, TOO_LONG):
        raised, advice = SourceUnreachableError, _unreachable(url)
    return raised(f"{what}: {public_message(original, url)} {advice} {_COMMON_TAIL}")


def _with_option(url: sa.URL, name: str, value: str) -> str:
    """Return the setting to write, with an option added to the URL."""
    given = {each.lower(): each for each in url.query}
    if "odbc_connect" in given:
        return f"`{name}={value}` in the odbc_connect of LEDGER_ERP_URL"
    others = as_written(url).difference_update_query([given.get(name.lower(), name)])
    return setting(others.update_query_dict({name: value}))


def _unreachable(url: sa.URL) -> str:
    """Return what to do if nothing answers at the address of the ERP."""
    host, _, instance = (url.host or "").partition("\\")
    if not instance:
        return _UNREACHABLE
    return (
        "Check the host, that the server is up, and that no firewall blocks it. SQL Server Browser (UDP port 1434) "
        f"must run there, to tell the port of {instance}. Or write the port instead of the instance, for example 1433: "
        f"{setting(as_written(url).set(host=host, port=1433))}."
    )


def timeout_error(url: sa.URL, table: str | None, seconds: float) -> SourceError:
    """Return the error of a statement that exceeded our time limit; without a table, of connecting."""
    if table is None:
        return SourceUnreachableError(
            f"The ERP {place(url)} cannot be reached: there was no answer for {seconds:.0f} s. {_unreachable(url)} "
            f"{_COMMON_TAIL}"
        )
    return SourceError(
        f"{table} cannot be read from the ERP {place(url)}: there was no answer for {seconds:.0f} s. "
        f"The statement was cancelled. Try again when the ERP is less busy, or increase {STATEMENT_TIMEOUT}. "
        f"{_COMMON_TAIL}"
    )


def lone_surrogate_error(url: sa.URL, table: str) -> SourceInterruptedError:
    """Return the error of a text that the driver cannot read, in a table whose texts can be read as bytes."""
    return SourceInterruptedError(
        f"{table} cannot be read from the ERP {place(url)}: one of its texts has a lone surrogate (half a character), "
        "which the driver cannot read. The next attempt reads the texts as bytes, which is slower. "
        f"{_COMMON_TAIL}"
    )


def without_secrets(text: str, url: sa.URL) -> str:
    """Return the text without the password of a URL, in any encoding of it."""
    secrets = [str(url.password)] if url.password else []
    secrets += [value for name, value in url.query.items() if "PWD" in name.upper() and isinstance(value, str)]
    for secret in secrets:
        for form in {secret, quote(secret, safe=""), quote_plus(secret)}:
            text = text.replace(form, "***")
    return re.sub(r"(?i)\b(pwd|password)\s*=\s*(\{[^}]*\}|[^;\s]*)", r"\1=***", text)


def public_message(error: BaseException, url: sa.URL) -> str:
    """Return the first line of the driver's message, as a sentence, without ODBC's tags and without secrets."""
    arguments = error.args[1:] if state_of(error) and len(error.args) > 1 else arguments_of(error)
    texts = (argument.decode(errors="replace") if isinstance(argument, bytes) else argument for argument in arguments)
    text = " ".join(_TAGS_OF_PYMSSQL.sub("\n", str(text)).strip() for text in texts if text) or str(error)
    plain = _TAGS_OF_ODBC.sub("", text) if text.lstrip().startswith("[") else text
    line = plain.strip().splitlines()[0].strip() if plain.strip() else type(error).__name__
    return without_secrets(line if line.endswith(".") else f"{line}.", url)
