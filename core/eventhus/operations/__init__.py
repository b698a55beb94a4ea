"""Operating an application: health, the log, readers, parked keys and dead letters."""
