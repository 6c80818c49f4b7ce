"""Serve the administration of cameras and recorders."""
