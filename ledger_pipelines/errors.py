"""Base of the project's explained errors; their handlers read attributes instead of listing classes."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any


class LedgerError(Exception):
    """Explained error: the message says what is wrong and what to do. Any other exception is a bug.

    Attributes:
        retryable: Whether a retry may succeed without any correction.
        http_status: HTTP status of the API's response.
        retry_after: Whether a response with status 503 asks the client to repeat the request a little later.
        extra_fields: Further fields of the error in JSON.
    """

    retryable: bool = False
    http_status: int = 503
    retry_after: bool = True
    extra_fields: Mapping[str, Any] = MappingProxyType({})


def first_line(error: BaseException) -> str:
    """Return the first line of an error's text; the name of its class if it has none."""
    return next(iter(str(error).strip().splitlines()), type(error).__name__)
