"""Single pictures out of footage, marked with who sees them: a strip of small ones, and one whole picture."""
