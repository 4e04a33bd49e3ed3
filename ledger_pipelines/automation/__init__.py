"""Jobs, schedules and sensors: when the assets run, and what is looked after meanwhile."""
