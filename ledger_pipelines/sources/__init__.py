"""Input layer: reads and normalises the data of the source systems. No Dagster here."""
