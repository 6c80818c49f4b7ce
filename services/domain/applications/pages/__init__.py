"""Serve the application form, its sources and its uploads."""
