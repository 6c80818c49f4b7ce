"""Check an evidence package without us: standard library and ``cryptography`` only (docs/evidence.md)."""
