"""Tests of `serving.cli`."""
