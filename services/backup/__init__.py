"""Back up and restore the database, the embedded engine and the keys, and practise it (docs/operations.md)."""
