"""Serve cameras and recorders as JSON."""
