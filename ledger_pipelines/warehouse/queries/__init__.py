"""Queries (read models) of the API and the dashboard: functions of a connection that return frozen dataclasses."""
