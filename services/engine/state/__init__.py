"""What the engine knows, on disk: live instances as documents, index tables beside them, and the records of what happened."""
