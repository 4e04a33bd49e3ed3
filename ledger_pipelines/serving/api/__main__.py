"""`python -m ledger_pipelines.serving.api`: the API's process, as `ledger up` starts it."""

from ledger_pipelines.serving.api.server import serve
from ledger_pipelines.settings import load_settings

serve(load_settings())
