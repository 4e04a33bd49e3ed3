"""Tests of tokens, the audit log and the limit of failures."""
