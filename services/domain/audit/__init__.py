"""Append acts to a hash tree; sign, prove and verify it (R47, R52, R62)."""
