"""Tests of tokens, the audit log and the rate limits."""
