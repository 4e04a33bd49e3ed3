"""`python -m ledger_pipelines.serving.cli`: same as `ledger`."""

from ledger_pipelines.serving.cli import app

app()
