"""Generated requests against the OpenAPI document: no server errors, and only documented responses."""

from typing import Any

import schemathesis
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import ignored_auth, positive_data_acceptance

from ledger_pipelines.serving.app import create_app
from ledger_pipelines.settings import Settings
from ledger_pipelines_tests.support.serving.api import ApiUnderTest, bearer

UNREACHABLE = "postgresql://ledger@127.0.0.1:1/nothing"
document = schemathesis.openapi.from_asgi(
    "/openapi.json", create_app(Settings(warehouse_url=UNREACHABLE, billing_url=UNREACHABLE))
)


# Without Dagster, commands return 503; test_guard.py tests the authorization of every route.
EXCLUDED_CHECKS = [not_a_server_error, ignored_auth]


@document.parametrize()
def test_every_operation(case: schemathesis.Case[Any], api: ApiUnderTest) -> None:
    response = case.call(app=api.client.app, headers=bearer(api.callers.admin))
    assert response.status_code != 500, response.text
    # The document does not state which months exist, so valid requests of commands may be refused.
    for_commands = [positive_data_acceptance] if case.method == "POST" else []
    case.validate_response(response, excluded_checks=[*EXCLUDED_CHECKS, *for_commands])
