"""Fixtures for every test: the servers that the suite starts, and what runs once on each of them."""

pytest_plugins = ["fixtures_postgres", "fixtures_s3"]
