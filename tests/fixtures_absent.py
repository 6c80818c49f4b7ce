"""What a test does when a server that it needs cannot be started: it fails, and says why in a sentence."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from run_variables import VALUES

WITHOUT_SERVERS = "FOOTAGE_DESK_TESTS_WITHOUT_SERVERS"


@contextmanager
def start_or_fail(server: str) -> Iterator[None]:
    """Wrap the start of ``server``; its tests are skipped only where the environment asks for it."""
    if VALUES.get(WITHOUT_SERVERS) == "1":
        pytest.skip(f"{server} is not started because {WITHOUT_SERVERS}=1")
    try:
        yield
    except Exception as error:  # noqa: BLE001 - whatever it was, the test fails with it
        pytest.fail(
            f"{server} could not be started ({type(error).__name__}: {error}). Install the test extra (`make setup`), "
            f"or set {WITHOUT_SERVERS}=1 to leave its tests out.",
            pytrace=False,
        )
