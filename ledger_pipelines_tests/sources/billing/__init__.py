"""Tests of `sources.billing`."""
