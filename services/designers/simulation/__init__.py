"""Simulate a year of cases by the models' own conditions, tables and timers, on the engine's own processing."""
