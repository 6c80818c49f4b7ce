"""Frigate, through its HTTP API."""
