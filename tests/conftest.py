"""Fixtures for every test: the servers that the suite starts, what runs once on each of them, and a portal.

``requirement_marks`` refuses a marker that says what docs/policy.md does not; ``run_plugin`` names missing tools and
ends a test that hangs; ``visited_elements`` checks what a whole run has seen.
"""

import gc

import structlog

# A tenth of the processor's time went into looking for cycles in what thousands of tests leave; what is imported and
# collected stays, and nothing is looked for until then (``run_plugin``).
gc.set_threshold(50_000, 20, 20)
gc.disable()

pytest_plugins = [
    "fixtures_portal",
    "fixtures_postgres",
    "fixtures_s3",
    "requirement_marks",
    "run_plugin",
    "visited_elements",
]

# A fault that a test provokes is logged with its stack; to colour the source in it took 3 percent of the tests' time.
console = structlog.get_config()["processors"][-1]
console.exception_formatter = structlog.dev.plain_traceback
