"""The typed views of cases: what the API returns is what the pages render."""
