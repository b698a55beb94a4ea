"""``python -m eventhus_cli`` does what ``eventhus`` does."""

from eventhus_cli import main

main()
