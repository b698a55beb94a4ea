"""The rules that hold for every domain, and the checkers that enforce them."""
