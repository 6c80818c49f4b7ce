"""Serve the inbox, the review page and previews of footage."""
