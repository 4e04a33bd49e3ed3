"""`python -m ledger_pipelines.serving.cli`: the same as `ledger`."""

from ledger_pipelines.serving.cli import app

app()
