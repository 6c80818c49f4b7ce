"""Serve the pages of cases, the overview, the register and the storage office."""
