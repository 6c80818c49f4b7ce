"""Kept safe: backups of books, keys and the embedded engine, an inventory of the objects, and the way back."""
