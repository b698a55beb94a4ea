"""Given-when-then for whole applications."""
