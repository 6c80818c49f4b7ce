"""Decide who may see and decide what: posts, deputies, consents, visibility (R17, R46, R55, R59, R61, R62)."""
