"""Serve the pages of the set-up itself: administration, and what ``doctor`` finds."""
