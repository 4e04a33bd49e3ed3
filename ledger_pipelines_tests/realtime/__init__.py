"""Tests of `ledger_pipelines.realtime`."""
