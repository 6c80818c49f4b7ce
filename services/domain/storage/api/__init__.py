"""Routes of the API about storage."""
