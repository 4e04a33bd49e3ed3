"""Access control: tokens, roles, sessions, the audit log and rate limits, independent of HTTP."""
