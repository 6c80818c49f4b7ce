"""Applying for footage: the form that saves itself, its summary, and the list of one's own applications."""
