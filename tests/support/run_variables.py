"""What make and CI set for the tests; taken out of the environment, so that what a test starts does not inherit it."""

import os

NAMES = (
    "FOOTAGE_DESK_CI",
    "FOOTAGE_DESK_TESTS",
    "FOOTAGE_DESK_CHAOS_SEEDS",
    "FOOTAGE_DESK_TOOLS",
    "FOOTAGE_DESK_TESTS_WITHOUT_SERVERS",
)
VALUES = {name: os.environ[name] for name in NAMES if name in os.environ}


def remove_from_environment() -> None:
    for name in NAMES:
        os.environ.pop(name, None)
