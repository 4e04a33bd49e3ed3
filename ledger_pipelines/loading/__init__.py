"""Load the sources into the warehouse: read, normalise, validate, stage, merge. Independent of Dagster."""
