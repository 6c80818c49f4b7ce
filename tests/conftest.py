"""Fixtures for every test: the servers that the suite starts, what runs once on each of them, and a portal.

``run_plugin`` names missing tools and ends a test that hangs; ``visited_elements`` checks what a whole run has seen.
"""

import gc

# A tenth of the processor's time went into looking for cycles in what thousands of tests leave.
gc.set_threshold(50_000, 20, 20)

pytest_plugins = ["fixtures_portal", "fixtures_postgres", "fixtures_s3", "run_plugin", "visited_elements"]
