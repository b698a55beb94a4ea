"""Given-when-then for aggregates, views and processes."""
