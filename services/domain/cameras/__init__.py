"""Manage cameras, recorders, clocks and reference pictures (R7 to R10, R31, R34)."""
