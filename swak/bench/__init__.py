"""What swak costs: workloads, measuring, checking, and the agents beside it (`swak bench`)."""
