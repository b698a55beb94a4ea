"""Python source for values, predicates and imports, in Ruff's format."""
