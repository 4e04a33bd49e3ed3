"""Benchmarks; `make bench` runs them all. No test depends on a duration."""
