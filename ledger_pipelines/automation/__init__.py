"""Jobs and schedules: when the assets run."""
