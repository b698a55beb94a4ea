"""Structural comparison and defensive copies."""
