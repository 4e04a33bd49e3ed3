"""Tests of `warehouse.ops`."""
