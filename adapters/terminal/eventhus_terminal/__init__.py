"""Shows the progress of long work: a bar on a terminal, plain lines elsewhere."""

from eventhus_terminal.progress import showing_progress

__all__ = ["showing_progress"]
