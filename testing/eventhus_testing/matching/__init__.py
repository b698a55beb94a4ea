"""Matching of values against expectations, and differences between values."""
