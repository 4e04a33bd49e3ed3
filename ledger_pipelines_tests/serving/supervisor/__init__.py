"""Tests of `serving.supervisor`."""
