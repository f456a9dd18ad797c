"""Another recipe for a run that goes on: loading it, comparing it with the running one, watching its files."""
