"""Tests of `serving.process_control`."""
