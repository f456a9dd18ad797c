"""Writing whole lines to descriptors: files that are appended to, and streams that a reader may block."""
