"""Serve the API of the set-up itself: the demo's clock, and what ``doctor`` finds."""
