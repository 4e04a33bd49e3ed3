"""Helpers of the tests: pipelines, servers, sources, installations."""
