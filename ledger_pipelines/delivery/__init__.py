"""OUTPUT: what the warehouse tells the world of itself. No Dagster; never inside a database transaction."""
