"""Rules of the ledger as SQL expressions. Code here imports no Dagster and opens no connections."""
