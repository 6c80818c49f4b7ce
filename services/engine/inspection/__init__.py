"""Inspect running and ended instances, and retry incidents, without Operate."""
