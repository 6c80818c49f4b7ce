"""Serve the pages of notices and their deliveries."""
