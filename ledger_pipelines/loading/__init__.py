"""From a source into the warehouse: reading, normalising, validating, staging, merging. No Dagster here."""
