"""Tests of the analysts' door."""
