"""Files that a person uploaded."""
