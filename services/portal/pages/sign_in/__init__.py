"""Signing in, step by step, and out; the only pages for whoever is not signed in."""
