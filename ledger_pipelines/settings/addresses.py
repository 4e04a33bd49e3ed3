"""Validation of database URLs and web origins in the settings, and masking of their secrets."""

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


def parse_database_url(text: str) -> URL:
    """Parse a database URL and set the driver that this project uses (psycopg 3, PyMySQL).

    A password given as a query parameter becomes the URL's password, which is masked when shown.

    Raises:
        ValueError: The text is not a database URL; the message contains no part of the text but the scheme.
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
        raise ValueError(f"begins with {scheme}://, which is not a supported kind of database") from None
    except (ArgumentError, ValueError):
        raise ValueError("is not a database URL; is the port a number?") from None
    if "@" in (url.host or ""):
        raise ValueError("has more than one @; in a user name or password, write @ as %40, : as %3A and / as %2F")
    for name in ("password", "passwd"):
        given = url.query.get(name)
        if isinstance(given, str):
            url = url.difference_update_query([name]).set(password=given)
    return url


def mask_url(url: URL) -> str:
    """Return a URL as text without any password."""
    hidden = {name: "hidden" for name in url.query if _SECRET_PARAMETER.search(name)}
    return url.update_query_dict(hidden).render_as_string(hide_password=True)


def split_list(value: str | None) -> tuple[str, ...]:
    """Split a text at commas, strip blanks and drop empty parts."""
    return tuple(part for part in (part.strip() for part in (value or "").split(",")) if part)


def is_origin(text: str) -> bool:
    """Return whether a text is an origin as browsers send it: scheme, host, and the port unless it is the default."""
    return _ORIGIN.fullmatch(text) is not None and _DEFAULT_PORT.fullmatch(text) is None


def _any_database(value: SecretStr) -> SecretStr:
    """Validate the URL of a database of any kind."""
    parse_database_url(value.get_secret_value())
    return value


def _postgresql_database(value: SecretStr) -> SecretStr:
    """Validate the URL of a PostgreSQL database."""
    url = parse_database_url(value.get_secret_value())
    if url.get_backend_name() != "postgresql":
        raise ValueError(f"is the URL of a {url.get_backend_name()} database; it must be PostgreSQL")
    if not url.database:
        raise ValueError("names no database; write its name after the host and a /")
    return value


AnyUrl = Annotated[SecretStr, AfterValidator(_any_database)]
"""URL of a database of any kind."""

PostgresqlUrl = Annotated[SecretStr, AfterValidator(_postgresql_database)]
"""URL of a PostgreSQL database."""
