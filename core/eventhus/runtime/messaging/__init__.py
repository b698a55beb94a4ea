"""Connect event handlers to the bus: the wire format, retries and dead letters."""
