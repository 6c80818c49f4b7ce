"""Attachments of applications and matters: received, sealed, read, purged (R3, R21, R62)."""
