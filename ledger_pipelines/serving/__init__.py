"""Interfaces of the product: command line, API, dashboard, and the guarded Dagster web server."""
