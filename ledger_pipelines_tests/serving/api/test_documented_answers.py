"""docs/api.md: each address has an answer there, and each of these has the fields that the address answers with."""

import json
import re
from typing import NamedTuple

import pytest
from fastapi.routing import APIRoute, iter_route_contexts
from pydantic import TypeAdapter

from ledger_pipelines.serving.api import balance, reconciliation, sync
from ledger_pipelines.settings import project_folder

_EXAMPLE = re.compile(r"^`(GET|POST) (/[^?`]*)[^`]*`[^\n]*\n\n```json\n(.*?)```", re.MULTILINE | re.DOTALL)


class Example(NamedTuple):
    """An answer that is documented."""

    method: str
    path: str
    answer: object


def examples() -> list[Example]:
    """Every answer that docs/api.md shows."""
    text = (project_folder() / "docs" / "api.md").read_text(encoding="utf-8")
    return [Example(method, path, json.loads(answer)) for method, path, answer in _EXAMPLE.findall(text)]


def routes() -> list[APIRoute]:
    """Every address of the API's contract."""
    found = [
        each.original_route
        for module in (balance, reconciliation, sync)
        for each in iter_route_contexts(module.router.routes)
    ]
    return [route for route in found if isinstance(route, APIRoute)]


def route_of(example: Example) -> APIRoute:
    """The address that an example asks."""
    [found] = [
        route
        for route in routes()
        if example.method in (route.methods or ()) and route.path_regex.fullmatch(example.path)
    ]
    return found


def fields(answer: object) -> object:
    """The names of an answer's fields, without what they hold."""
    if isinstance(answer, dict):
        return {name: fields(value) for name, value in answer.items()}
    return [fields(item) for item in answer] if isinstance(answer, list) else None


@pytest.mark.parametrize("example", examples(), ids=lambda example: f"{example.method} {example.path}")
def test_an_answer_has_the_fields_of_its_address(example: Example) -> None:
    known = TypeAdapter(route_of(example).response_model)
    understood = known.dump_python(known.validate_python(example.answer), by_alias=True, mode="json")
    assert fields(example.answer) == fields(understood)


def test_every_address_has_an_answer() -> None:
    shown = {route_of(example).path for example in examples()}
    assert shown == {route.path for route in routes()}
