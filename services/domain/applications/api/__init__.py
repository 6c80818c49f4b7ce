"""Serve drafts, submissions and previews as JSON."""
