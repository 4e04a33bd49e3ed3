"""How each error becomes a status and a JSON body: one shape for all of them."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

import orjson
import sqlalchemy as sa
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from ledger_pipelines.horizon import MonthError
from ledger_pipelines.serving.api.answers import Refusal
from ledger_pipelines.sources.errors import SourceError
from ledger_pipelines.warehouse.schema import WarehouseError

RETRY_SECONDS = 5
_CHANGING = "The warehouse's tables are being changed at this moment."
#: What passes when it is asked again, by SQLSTATE: too slow; a deadlock with a migration; a snapshot that broke.
_PASSING = {"57014": "The warehouse took too long to answer.", "40P01": _CHANGING, "40001": _CHANGING}
_logger = logging.getLogger(__name__)


@dataclass
class ApiError(Exception):
    """What is answered instead of what was asked for.

    Attributes:
        status: Of HTTP.
        message: What is wrong, and what to do.
        errors: What is wrong with which parameter.
        headers: Of the answer.
        more: Further fields of the body.
    """

    status: int
    message: str
    errors: Mapping[str, list[str]] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    more: Mapping[str, Any] = field(default_factory=dict)

    def answer(self) -> Response:
        """It as an answer."""
        body = {"success": False, "message": self.message, "errors": dict(self.errors), **self.more}
        return Response(orjson.dumps(body), self.status, dict(self.headers), "application/json")


def not_found(message: str) -> ApiError:
    """What was asked for is not there."""
    return ApiError(404, message)


def wrong(parameter: str, fault: str) -> ApiError:
    """A parameter is wrong in a way that only the warehouse could tell."""
    return ApiError(422, f"{parameter}: {fault}", {parameter: [fault]})


def invalid(errors: Mapping[str, list[str]]) -> ApiError:
    """Parameters are wrong, each in the ways that are said."""
    faults = "; ".join(f"{name}: {' '.join(faults)}" for name, faults in errors.items())
    return ApiError(422, f"The request is wrong. {faults}", errors)


def away(message: str) -> ApiError:
    """What is needed is away for the moment."""
    return ApiError(503, message, headers={"Retry-After": str(RETRY_SECONDS)})


def told_of(error: Exception) -> ApiError:
    """What is told of an error; of a fault of ours nothing but that it is one."""
    match error:
        case ApiError():
            return error
        case RequestValidationError():
            return _invalid(error)
        case HTTPException(status_code=400):
            return wrong("body", "expected JSON in UTF-8")
        case HTTPException():
            headers = dict(error.headers or {})
            return ApiError(error.status_code, _in_words(error), headers=headers)
        case MonthError():
            return ApiError(422, str(error))
        case WarehouseError() | SourceError():
            return away(str(error))
        case sa.exc.TimeoutError():
            return away("The API is overloaded: no connection to the warehouse became free in time.")
        case sa.exc.OperationalError() if (state := getattr(error.orig, "sqlstate", "")) in _PASSING:
            return away(_PASSING[state])
        case sa.exc.ProgrammingError():
            _logger.error("The warehouse's schema is not what this program expects", exc_info=error)
            return away("The warehouse's schema is not what this program expects: ledger db upgrade")
    return ApiError(500, "That is a fault of the server's; its log says more.")


def _in_words(error: HTTPException) -> str:
    match error.status_code:
        case 404:
            return "There is nothing at this address; /openapi.json says what there is."
        case 405:
            return f"This address does not take this method, but {(error.headers or {}).get('Allow', 'others')}."
    return str(error.detail) or HTTPStatus(error.status_code).phrase


def _invalid(error: RequestValidationError) -> ApiError:
    """What is wrong with which parameter; what was given is not repeated where it may be anything."""
    errors: dict[str, list[str]] = {}
    for detail in error.errors():
        where, *inside = (str(part) for part in detail["loc"])
        name = ".".join(inside) if inside and detail["type"] != "json_invalid" else where
        cause = detail.get("ctx", {}).get("error")
        errors.setdefault(name, []).append(str(cause) if isinstance(cause, Exception) else detail["msg"])
    return invalid(errors)


async def _answer(_: Request, error: Exception) -> Response:
    told = told_of(error)
    if told.status == 500:  # the outermost middleware logs it, and answers the same
        raise error
    return told.answer()


def install(app: FastAPI) -> None:
    """Let the application answer errors so; what is left is answered by the outermost middleware."""
    for kind in (
        ApiError, RequestValidationError, HTTPException, MonthError, WarehouseError, SourceError,
        sa.exc.TimeoutError, sa.exc.OperationalError, sa.exc.ProgrammingError,
    ):  # fmt: skip
        app.add_exception_handler(kind, _answer)


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """What OpenAPI says of answers that are errors."""
    return {status: {"model": Refusal, "description": HTTPStatus(status).phrase} for status in statuses}
