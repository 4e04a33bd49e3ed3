"""Dagster's web server as `ledger up` starts it: Dagster's own command, its application behind a guard.

Here belongs what decides which requests reach Dagster. How our own code calls the web server is in `serving/web_ui.py`.
"""
