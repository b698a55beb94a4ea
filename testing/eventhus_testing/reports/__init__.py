"""Reports on the specs of a test run: documentation, and coverage of behaviour."""
