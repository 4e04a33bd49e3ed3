"""The OpenAPI document against the API: whatever it allows or forbids, no fault of ours and no answer it does not tell."""

import schemathesis
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import ignored_auth

from ledger_pipelines.serving.api.app import create_app
from ledger_pipelines.settings import Settings
from ledger_pipelines_tests.serving.api.apis import Api, bearer

NOWHERE = "postgresql://nobody@127.0.0.1:1/nothing"
document = schemathesis.openapi.from_asgi(
    "/openapi.json", create_app(Settings(warehouse_url=NOWHERE, billing_url=NOWHERE))
)


@document.parametrize()
def test_every_operation(case: schemathesis.Case, api: Api) -> None:
    answer = case.call(app=api.client.app, headers=bearer(api.callers.admin))
    assert answer.status_code != 500, answer.text
    # Dagster is away, which is answered with 503 and told; who may ask what is tested for every route by itself.
    case.validate_response(answer, excluded_checks=[not_a_server_error, ignored_auth])
