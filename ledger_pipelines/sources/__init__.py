"""INPUT: reading and normalising what the source systems hold. No Dagster here."""
