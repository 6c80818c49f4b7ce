"""Changes of an administrator that a second person confirms, or that lie open to objection."""
