"""Tests of `loading.erp`."""
