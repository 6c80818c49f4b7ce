"""Serve the pages of login, own account, people and departments."""
