"""Dagster's web server as `ledger up` starts it: Dagster's own command, with a guard around its application.

This package decides which requests reach Dagster. The client for the web server is in `serving/dagster/graphql.py`.
"""
