"""What the engine knows, on disk: live instances as documents, index tables, and records of what happened."""
