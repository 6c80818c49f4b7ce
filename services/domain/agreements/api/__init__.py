"""Serve agreements and their versions as JSON."""
