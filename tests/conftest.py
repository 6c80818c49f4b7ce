"""Fixtures for every test: the servers that the suite starts, what runs once on each of them, and a portal."""

pytest_plugins = ["fixtures_portal", "fixtures_postgres", "fixtures_s3", "run_plugin"]
