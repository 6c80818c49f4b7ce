"""Serve reviews, decisions and review sheets as JSON."""
