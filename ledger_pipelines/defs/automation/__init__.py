"""Jobs, schedules and sensors: when the assets run, and the monitoring of runs, syncs and incidents."""
