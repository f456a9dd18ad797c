"""Worker processes: the first filters of a flow run in several of them, and their results come back in order."""
