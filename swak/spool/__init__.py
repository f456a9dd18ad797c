"""The spool: events on disk between the input and a slow output. Segments of frames, and the place read up to."""
