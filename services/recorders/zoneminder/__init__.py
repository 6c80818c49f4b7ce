"""ZoneMinder, through its API."""
