"""What people and programs talk to: the command line (and later the API and the dashboard)."""
