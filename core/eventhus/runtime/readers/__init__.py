"""Follow the log under a lease: views, processes and the relay."""
