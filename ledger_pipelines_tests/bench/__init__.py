"""Benchmarks: what the ledger's speed is measured by. `make bench` runs them all; no test depends on a time."""
