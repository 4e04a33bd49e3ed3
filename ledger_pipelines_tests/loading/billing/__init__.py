"""Tests of `loading.billing`."""
