"""Serve notices and their deliveries as JSON."""
