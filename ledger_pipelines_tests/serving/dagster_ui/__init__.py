"""Dagster's web server behind the guard."""
