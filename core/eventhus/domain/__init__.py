"""The pure part: no asyncio, no I/O, no clock."""
