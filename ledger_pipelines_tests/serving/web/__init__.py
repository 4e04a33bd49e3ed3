"""Tests of `serving.web`."""
