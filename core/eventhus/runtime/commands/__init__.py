"""Carry out commands: route, load, decide, append."""
