"""What a run looks like to a monitoring system: Prometheus metrics, and whether it is alive and ready."""
