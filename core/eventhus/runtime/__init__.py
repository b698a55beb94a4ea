"""The runtime: moves commands and events between the domain and the ports."""
