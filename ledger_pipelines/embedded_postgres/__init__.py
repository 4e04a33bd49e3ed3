"""The embedded PostgreSQL server: its programs, data folder, tuning and processes."""
