"""A shop: orders, stock and payments, and the process that ships what is paid. See README.md."""
