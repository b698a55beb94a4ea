"""The conformance cases for buses."""
