"""What a command and a replay cost, side by side with the ``eventsourcing`` package."""
