"""What every part of serving needs: the configured databases and the errors that commands explain."""
