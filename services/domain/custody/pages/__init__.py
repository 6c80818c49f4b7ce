"""Serve the pages of custody, viewing and return."""
