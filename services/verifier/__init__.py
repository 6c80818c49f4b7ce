"""Checks of evidence without us: the standard library and `cryptography`, no other room (docs/evidence.md)."""
