"""Output: notifications of incidents and low balances. No Dagster, and never inside a database transaction."""
