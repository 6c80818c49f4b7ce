"""The overview, the switch of language, and where a bare address leads."""
