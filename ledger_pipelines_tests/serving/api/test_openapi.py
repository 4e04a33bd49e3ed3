"""The OpenAPI document against the API: whatever is sent, no fault of ours, and no answer that it does not tell of."""

from typing import Any

import schemathesis
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import ignored_auth, positive_data_acceptance

from ledger_pipelines.serving.api.app import create_app
from ledger_pipelines.settings import Settings
from ledger_pipelines_tests.serving.api.apis import Api, bearer

NOWHERE = "postgresql://nobody@127.0.0.1:1/nothing"
document = schemathesis.openapi.from_asgi(
    "/openapi.json", create_app(Settings(warehouse_url=NOWHERE, billing_url=NOWHERE))
)


# Dagster is away, which is answered with 503; who may ask what is tested for every route by itself.
NOT_HERE = [not_a_server_error, ignored_auth]


@document.parametrize()
def test_every_operation(case: schemathesis.Case[Any], api: Api) -> None:
    answer = case.call(app=api.client.app, headers=bearer(api.callers.admin))
    assert answer.status_code != 500, answer.text
    # Which months there are to act on is no matter of the document.
    of_months = [positive_data_acceptance] if case.method == "POST" else []
    case.validate_response(answer, excluded_checks=[*NOT_HERE, *of_months])
