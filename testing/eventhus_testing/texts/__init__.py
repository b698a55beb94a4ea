"""The layout and the colours of failure texts."""
