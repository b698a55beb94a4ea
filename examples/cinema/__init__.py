"""A cinema: seats, prices and times, for a domain with more to say than a bank.

``screening.py`` shows a state that is ``None`` until there is something, rules that need the time
(it comes with the command), and events made of enums, decimals, datetimes and nested values.
"""
