"""Collect and seal the evidence package of a case for a reader who does not know us (docs/evidence.md)."""
