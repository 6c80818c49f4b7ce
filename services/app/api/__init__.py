"""Serve the API of the set-up: the demo's clock, and the results of ``doctor``."""
