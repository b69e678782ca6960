"""Reports: every event becomes a fact, every number drills down to its facts."""
