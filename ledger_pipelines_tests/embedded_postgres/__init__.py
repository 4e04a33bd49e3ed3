"""Tests of `embedded_postgres`."""
