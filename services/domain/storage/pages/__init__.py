"""Pages about storage."""
