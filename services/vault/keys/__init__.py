"""Keep the keys: vault, loan, seal and log key, each in a file of its own."""
