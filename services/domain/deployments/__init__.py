"""Which models are deployed on record: sets from the portal that a second person confirms, and versions (R2)."""
