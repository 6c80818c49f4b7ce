"""Store live instances as documents, index tables, and records."""
