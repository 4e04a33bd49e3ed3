"""Translation of driver errors into messages that an administrator can act on, without passwords.

What the errors of each kind of server mean, and what to do, is in `sources/dialects/`.
"""

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import quote, quote_plus

import sqlalchemy as sa
from sqlalchemy import exc

from ledger_pipelines.sources.dialects import server_of
from ledger_pipelines.sources.dialects.base import Server
from ledger_pipelines.sources.dialects.causes import STATEMENT_TIMEOUT, Cause
from ledger_pipelines.sources.erp.connection.driver_packages import setting
from ledger_pipelines.sources.erp.connection.odbc import as_written, unloadable
from ledger_pipelines.sources.errors import SourceError, SourceInterruptedError, SourceUnreachableError, place

_UNREACHABLE = "Check the host and the port in LEDGER_ERP_URL, that the server is up, and that no firewall blocks it."
_UNKNOWN = "This is the server's message; ask the administrator of the ERP."
_UNREADABLE = "The driver in LEDGER_ERP_URL cannot read one of its values."
_TAGS_OF_ODBC = re.compile(r"(?:^|(?<=; ))(?:\[[^\]]*\] ?)+| \(-?\d+\)(?=; \[|$| \(SQL\w+\))| \(SQL\w+\)", re.MULTILINE)
_TAGS_OF_PYMSSQL = re.compile(r"DB-Lib error message \d+, severity \d+:\n")
_COMMON_TAIL = "Nothing was changed."
# pyodbc joins the driver's messages with "; [", each followed by the server's error number. Brackets within a message,
# such as OpenSSL's reason, belong to the message.
_NUMBERS_BY_ODBC = re.compile(r"\((-?\d+)\)(?: \(SQL\w+\))?(?=; \[|$)", re.MULTILINE)


def explained(error: BaseException, url: sa.URL, table: str | None = None, *, connecting: bool = False) -> SourceError:
    """Return the exception with an explanation of a driver's error.

    Args:
        error: Error of the driver, or SQLAlchemy's wrapper of it.
        url: URL of the ERP.
        table: Table that was being read.
        connecting: Whether the error occurred while connecting.
    """
    original = error.orig if isinstance(error, exc.DBAPIError) and error.orig is not None else error
    cause = _cause_of(original, server_of(url.get_backend_name()))
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
        if option := cause.options.get(url.get_dialect().driver):
            advice += f" {cause.otherwise}: {_with_option(url, *option)}."
    if connecting and (cause is None or cause.is_silence):
        raised, advice = SourceUnreachableError, _unreachable(url)
    return raised(f"{what}: {public_message(original, url)} {advice} {_COMMON_TAIL}")


def _cause_of(error: BaseException, server: Server) -> Cause | None:
    """Return the cause by number, else by SQLSTATE, else by message: a name in the text must not override a number."""
    numbers, state, text = _numbers_of(error), _state_of(error) or "", str(error) or type(error).__name__
    passes: tuple[Callable[[Cause], bool], ...] = (
        lambda cause: not numbers.isdisjoint(cause.numbers),
        lambda cause: state.startswith(cause.states),
        lambda cause: bool(cause.words and re.search(cause.words, text, re.IGNORECASE)),
        lambda cause: state.startswith(cause.vague),
    )
    return next((cause for is_it in passes for cause in server.causes if is_it(cause)), None)


def _state_of(error: BaseException) -> str | None:
    """Return the SQLSTATE, which is an attribute in psycopg and the first argument in pyodbc."""
    state = getattr(error, "sqlstate", None)
    if state is None and error.args and isinstance(error.args[0], str) and re.fullmatch(r"\w{5}", error.args[0]):
        state = error.args[0]
    return state if isinstance(state, str) else None


def _numbers_of(error: BaseException) -> frozenset[int]:
    """Return the server's error numbers: the first argument of MySQL's drivers and pymssql, in the text with ODBC."""
    arguments = _arguments_of(error)
    if arguments and isinstance(arguments[0], int):
        return frozenset((arguments[0],))
    return frozenset(map(int, _NUMBERS_BY_ODBC.findall(str(error.args[1])))) if len(error.args) > 1 else frozenset()


def _arguments_of(error: BaseException) -> tuple[Any, ...]:
    """Return the arguments of a driver's error; while connecting, pymssql nests them in the first argument."""
    nested = len(error.args) == 1 and isinstance(error.args[0], tuple)
    return error.args[0] if nested else error.args


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
    server = server_of(url.get_backend_name())
    if not (instance and server.instance_advice):
        return _UNREACHABLE
    by_port = setting(as_written(url).set(host=host, port=server.usual_port))
    advice = server.instance_advice.format(instance=instance, port=server.usual_port, setting=by_port)
    return f"Check the host, that the server is up, and that no firewall blocks it. {advice}"


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
    arguments = error.args[1:] if _state_of(error) and len(error.args) > 1 else _arguments_of(error)
    texts = (argument.decode(errors="replace") if isinstance(argument, bytes) else argument for argument in arguments)
    text = " ".join(_TAGS_OF_PYMSSQL.sub("\n", str(text)).strip() for text in texts if text) or str(error)
    plain = _TAGS_OF_ODBC.sub("", text) if text.lstrip().startswith("[") else text
    line = plain.strip().splitlines()[0].strip() if plain.strip() else type(error).__name__
    return without_secrets(line if line.endswith(".") else f"{line}.", url)
