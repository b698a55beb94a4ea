"""What the specs of a test run say, for people: as documentation, and what they leave out."""
