"""Python source for values, predicates and imports, formatted as Ruff would."""
