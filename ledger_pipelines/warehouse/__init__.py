"""Storage: the warehouse tables, their migrations, and the writes to them month by month. No Dagster here."""
