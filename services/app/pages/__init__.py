"""Serve the pages of the set-up: administration, and the results of ``doctor``."""
