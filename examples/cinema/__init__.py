"""A cinema with seats, prices and times: a richer domain than the bank.

``screening.py`` shows a state that is ``None`` at first, rules that need the time (which comes with
the command), and events of enums, decimals, datetimes and nested values.
"""
