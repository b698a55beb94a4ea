"""Layout and colours of failure texts."""
