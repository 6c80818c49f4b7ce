"""Store the vault, loan, seal and log keys, each in its own file."""
