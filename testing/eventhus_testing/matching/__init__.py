"""Expectations that leave something open, and differences between values."""
