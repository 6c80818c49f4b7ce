"""Serve sessions, people, departments and passkeys as JSON."""
