"""STORAGE: the warehouse tables, their migrations and how a month of them is written. No Dagster here."""
