"""Helpers of the tests of commands, API and dashboard."""
