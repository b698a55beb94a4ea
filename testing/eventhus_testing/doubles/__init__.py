"""Test doubles: a clock, ids, faulty adapters and an application in memory."""
