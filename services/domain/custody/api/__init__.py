"""Serve copies, custody, viewing and returns as JSON."""
