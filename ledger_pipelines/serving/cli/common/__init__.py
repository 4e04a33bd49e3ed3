"""What the commands share: console output, readiness, audit, findings of a connection test."""
