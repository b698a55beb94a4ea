"""A bank: one aggregate, its specs, and a program that runs it.

``account.py`` is the whole domain, and ``test_account.py`` says by example what it does.
``python -m examples.bank`` runs it.
"""
