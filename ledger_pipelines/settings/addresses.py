"""Addresses: what may be written as one of a database or of a web page, and how one may be shown."""

import re
from typing import Annotated

from pydantic import AfterValidator, SecretStr
from sqlalchemy import URL
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError

_DRIVERS = {"postgres": "postgresql", "mysql": "mysql+pymysql", "mariadb": "mariadb+pymysql"}
_ORIGIN = re.compile(r"https?://([a-z0-9.-]+|\[[0-9a-f:.]+\])(:[1-9][0-9]{0,4})?")
_DEFAULT_PORT = re.compile(r"http:.*:80|https:.*:443")
_SECRET_PARAMETER = re.compile(r"odbc_connect|passw|pwd|secret|token", re.IGNORECASE)


def database_url(text: str) -> URL:
    """The SQLAlchemy URL of a text, with the driver that this project uses (psycopg 3, PyMySQL).

    A password given as a query parameter moves to its own place, where it is masked when shown.

    Raises:
        ValueError: the text is no URL of a database; the message holds no part of it but the scheme.
    """
    scheme, separator, _ = text.partition("://")
    if not separator:
        raise ValueError("is not a database URL (scheme://user:password@host/database)")
    try:
        url = make_url(text)
        url = url.set(drivername=_DRIVERS.get(url.drivername, url.drivername))
        if url.get_backend_name() == "postgresql":
            url = url.set(drivername="postgresql+psycopg")
        url.get_dialect()
    except NoSuchModuleError:
        raise ValueError(f"begins with {scheme}://, which is no kind of database known here") from None
    except (ArgumentError, ValueError):
        raise ValueError("is not a database URL; is the port a number?") from None
    if "@" in (url.host or ""):
        raise ValueError("has more than one @; in a user name or password, write @ as %40, : as %3A and / as %2F")
    for name in ("password", "passwd"):
        given = url.query.get(name)
        if isinstance(given, str):
            url = url.difference_update_query([name]).set(password=given)
    return url


def masked(url: URL) -> str:
    """An address as it may be shown: without any password."""
    hidden = {name: "hidden" for name in url.query if _SECRET_PARAMETER.search(name)}
    return url.update_query_dict(hidden).render_as_string(hide_password=True)


def listed(value: str | None) -> tuple[str, ...]:
    """The parts of a text that are separated by commas, without blanks around them."""
    return tuple(part for part in (part.strip() for part in (value or "").split(",")) if part)


def is_origin(text: str) -> bool:
    """Return whether a text is an origin as browsers send it: scheme, host, and a port unless it is the default."""
    return _ORIGIN.fullmatch(text) is not None and _DEFAULT_PORT.fullmatch(text) is None


def _any_database(value: SecretStr) -> SecretStr:
    """The value, if it is the URL of a database of any kind."""
    database_url(value.get_secret_value())
    return value


def _postgresql_database(value: SecretStr) -> SecretStr:
    """The value, if it is the URL of a database of a PostgreSQL server."""
    url = database_url(value.get_secret_value())
    if url.get_backend_name() != "postgresql":
        raise ValueError(f"is the URL of a {url.get_backend_name()} database; it must be PostgreSQL")
    if not url.database:
        raise ValueError("names no database; it comes last, after the host and a /")
    return value


AnyUrl = Annotated[SecretStr, AfterValidator(_any_database)]
"""The URL of a database of any kind."""

PostgresqlUrl = Annotated[SecretStr, AfterValidator(_postgresql_database)]
"""The URL of a database of a PostgreSQL server."""
