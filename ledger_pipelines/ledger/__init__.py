"""THE LEDGER: its rules as SQL expressions. No Dagster and no connections of its own."""
