"""Who may do what: tokens and roles, the audit log, and the limit of failed attempts. Nothing here knows HTTP."""
