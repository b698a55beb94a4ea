"""Event handlers without a broker: consumer groups that read the log itself."""
