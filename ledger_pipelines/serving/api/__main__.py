"""`python -m ledger_pipelines.serving.api`: run the API server, as `ledger up` does."""

from ledger_pipelines.serving.api.server import serve
from ledger_pipelines.settings import load_settings

serve(load_settings())
