"""Mapping of errors to HTTP statuses and one JSON body for all errors."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

import orjson
import sqlalchemy as sa
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from psycopg.errors import DeadlockDetected, QueryCanceled, SerializationFailure
from starlette.exceptions import HTTPException

from ledger_pipelines.errors import LedgerError
from ledger_pipelines.serving.web.models import ErrorResponse

_RETRY_LATER = {"Retry-After": "5"}
_logger = logging.getLogger(__name__)


@dataclass
class ApiError(Exception):
    """Error that the API answers with a status and a JSON body.

    Attributes:
        status: HTTP status.
        message: What went wrong and what to do about it.
        errors: Messages by parameter.
        headers: Headers of the response.
        extra_fields: Additional fields of the body.
    """

    status: int
    message: str
    errors: Mapping[str, list[str]] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    extra_fields: Mapping[str, Any] = field(default_factory=dict)

    def to_response(self) -> Response:
        """Return the error as a response."""
        body = {"success": False, "message": self.message, "errors": dict(self.errors), **self.extra_fields}
        return Response(orjson.dumps(body), self.status, dict(self.headers), "application/json")


def not_found(message: str) -> ApiError:
    """Return error 404."""
    return ApiError(404, message)


def invalid_parameter(parameter: str, fault: str) -> ApiError:
    """Return error 422 for one parameter, for checks that its type cannot make."""
    return ApiError(422, f"{parameter}: {fault}", {parameter: [fault]})


def invalid_parameters(errors: Mapping[str, list[str]]) -> ApiError:
    """Return error 422 with the messages of each parameter."""
    faults = "; ".join(f"{name}: {' '.join(faults)}" for name, faults in errors.items())
    return ApiError(422, f"The request is invalid. {faults}", errors)


def unavailable(message: str) -> ApiError:
    """Return error 503 with `Retry-After`."""
    return ApiError(503, message, headers=_RETRY_LATER)


def to_api_error(error: Exception) -> ApiError:
    """Return the API error for an exception; an unexpected exception becomes 500 without details."""
    match error:
        case ApiError():
            return error
        case RequestValidationError():
            return _validation_error(error)
        case HTTPException(status_code=400):
            return invalid_parameter("body", "expected JSON in UTF-8")
        case HTTPException():
            headers = dict(error.headers or {})
            return ApiError(error.status_code, _http_message(error), headers=headers)
        case LedgerError():
            headers = _RETRY_LATER if error.http_status == HTTPStatus.SERVICE_UNAVAILABLE and error.retry_after else {}
            return ApiError(error.http_status, str(error), headers=headers, extra_fields=error.extra_fields)
        case sa.exc.TimeoutError():
            return unavailable("The API is overloaded: no warehouse connection became free in time. Try again later.")
        case sa.exc.OperationalError(orig=QueryCanceled()):
            return unavailable("The warehouse took too long to answer. Try again later.")
        case sa.exc.OperationalError(orig=DeadlockDetected() | SerializationFailure()):  # for example with a migration
            return unavailable("The warehouse's tables are being changed. Try again in a few seconds.")
        case sa.exc.ProgrammingError():
            _logger.error("The warehouse's schema does not match this version of the program", exc_info=error)
            return unavailable(
                "The warehouse's schema does not match this version of the program. Run `ledger db upgrade`."
            )
    return ApiError(500, "Internal server error. See the API's log for details.")


def _http_message(error: HTTPException) -> str:
    match error.status_code:
        case 404:
            return "Unknown path. See /openapi.json for the available paths."
        case 405:
            return f"Method not allowed. This path allows: {(error.headers or {}).get('Allow', 'other methods')}."
    return str(error.detail) or HTTPStatus(error.status_code).phrase


def _validation_error(error: RequestValidationError) -> ApiError:
    """Return error 422 with messages by parameter; the messages do not repeat the client's input."""
    errors: dict[str, list[str]] = {}
    for detail in error.errors():
        where, *inside = (str(part) for part in detail["loc"])
        name = ".".join(inside) if inside and detail["type"] != "json_invalid" else where
        cause = detail.get("ctx", {}).get("error")
        errors.setdefault(name, []).append(str(cause) if isinstance(cause, Exception) else detail["msg"])
    return invalid_parameters(errors)


async def _handle(_: Request, error: Exception) -> Response:
    api_error = to_api_error(error)
    if api_error.status == 500:  # OutermostMiddleware logs it and sends the response
        raise error
    return api_error.to_response()


def add_exception_handlers(app: FastAPI) -> None:
    """Register the handlers for known errors; `OutermostMiddleware` handles all others."""
    for kind in (
        ApiError, LedgerError, RequestValidationError, HTTPException,
        sa.exc.TimeoutError, sa.exc.OperationalError, sa.exc.ProgrammingError,
    ):  # fmt: skip
        app.add_exception_handler(kind, _handle)


def error_responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return the OpenAPI description of error responses with these statuses."""
    return {status: {"model": ErrorResponse, "description": HTTPStatus(status).phrase} for status in statuses}
