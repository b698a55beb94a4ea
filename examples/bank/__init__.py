"""A bank: one aggregate, its specs, and a program that runs it.

``account.py`` is the whole domain, and ``test_account.py`` specifies it by example.
``python -m examples.bank`` runs it.
"""
