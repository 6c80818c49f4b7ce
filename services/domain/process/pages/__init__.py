"""Serve the pages of process instances, jobs and incidents."""
