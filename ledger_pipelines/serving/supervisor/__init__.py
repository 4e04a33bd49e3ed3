"""`ledger up`: start Dagster and the API as managed processes and restart them when they end."""
