"""Fixtures for every test: the servers that the suite starts, what runs once on each of them, and a portal.

``run_plugin`` names missing tools and ends a test that hangs; ``visited_elements`` checks what a whole run has seen.
"""

import gc

# A tenth of the processor's time went into looking for cycles in what thousands of tests leave; what is imported and
# collected stays, and nothing is looked for until then (``run_plugin``).
gc.set_threshold(50_000, 20, 20)
gc.disable()

pytest_plugins = ["fixtures_portal", "fixtures_postgres", "fixtures_s3", "run_plugin", "visited_elements"]
