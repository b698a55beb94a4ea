"""Property-based tests of aggregates and applications."""
