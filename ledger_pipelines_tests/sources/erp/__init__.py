"""Tests of `sources.erp`."""
