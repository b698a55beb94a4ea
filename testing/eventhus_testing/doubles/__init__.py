"""Test doubles: a clock, ids, faulty adapters, an application in memory."""
