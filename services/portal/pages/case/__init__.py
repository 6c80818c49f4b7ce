"""The page of one case: where it stands, what happened, what belongs to it, and whether the vault still holds it."""
