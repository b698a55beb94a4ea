"""The conformance cases for stores."""
