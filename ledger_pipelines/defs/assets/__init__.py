"""Dagster assets and their checks: thin adapters around the packages that do the work."""
