"""Serve cases, their timeline and pictures, the register and the storage office as JSON."""
