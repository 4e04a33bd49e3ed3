"""docs/api.md: every path has a row and an example response, which has the fields of the response model."""

import json
import re
from typing import NamedTuple

import pytest
from fastapi.routing import APIRoute, iter_route_contexts
from pydantic import TypeAdapter

from ledger_pipelines.serving.app import api_routers
from ledger_pipelines.settings import project_folder

_EXAMPLE = re.compile(r"^`(GET|POST) (/[^?`]*)[^`]*`[^\n]*\n\n```json\n(.*?)```", re.MULTILINE | re.DOTALL)

_ROW = re.compile(r"^\| `(GET|POST) (/api/[^?`]*)", re.MULTILINE)


class Example(NamedTuple):
    """Documented response."""

    method: str
    path: str
    response: object


def document() -> str:
    """Return docs/api.md."""
    return (project_folder() / "docs" / "api.md").read_text(encoding="utf-8")


def examples() -> list[Example]:
    """Return every response in docs/api.md."""
    return [Example(method, path, json.loads(response)) for method, path, response in _EXAMPLE.findall(document())]


def routes() -> list[APIRoute]:
    """Return every route of the API's contract."""
    found = [
        each.original_route
        for router in api_routers()
        for each in iter_route_contexts(router.routes)
        if router.prefix.startswith("/api/")
    ]
    return [route for route in found if isinstance(route, APIRoute)]


def route_of(example: Example) -> APIRoute:
    """Return the route of an example."""
    [found] = [
        route
        for route in routes()
        if example.method in (route.methods or ()) and route.path_regex.fullmatch(example.path)
    ]
    return found


def fields(response: object) -> object:
    """Return the names of a response's fields, without their values."""
    if isinstance(response, dict):
        return {name: fields(value) for name, value in response.items()}
    return [fields(item) for item in response] if isinstance(response, list) else None


@pytest.mark.parametrize("example", examples(), ids=lambda example: f"{example.method} {example.path}")
def test_an_example_has_the_fields_of_its_model(example: Example) -> None:
    model = TypeAdapter(route_of(example).response_model)
    parsed = model.dump_python(model.validate_python(example.response), by_alias=True, mode="json")
    assert fields(example.response) == fields(parsed)


def test_every_route_has_an_example() -> None:
    shown = {route_of(example).path for example in examples()}
    assert shown == {route.path for route in routes()}, "add the response to docs/api.md, Responses"


def test_every_route_is_in_the_table_of_paths() -> None:
    declared = {(method, route.path) for route in routes() for method in route.methods or ()}
    assert set(_ROW.findall(document())) == declared, "add the path to docs/api.md, Paths"
