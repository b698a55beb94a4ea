"""Complete programs, to read and to run."""
