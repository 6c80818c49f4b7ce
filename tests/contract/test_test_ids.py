"""A test has the same id in each process, in the same order: the parts of a parallel run are given out by ids."""

import os
import subprocess
import sys

import pytest


def test_what_is_collected_twice_is_the_same(request: pytest.FixtureRequest) -> None:
    here = [item.nodeid for item in request.session.items]
    collected = subprocess.run(
        [sys.executable, "-m", "pytest", "--collect-only", "-q", *request.config.args],
        cwd=request.config.rootpath,
        # Whatever holds a set's order or a key made at import shows with another seed.
        env={**os.environ, "PYTHONHASHSEED": "7"},
        capture_output=True,
        text=True,
        check=False,
    )
    elsewhere = [line for line in collected.stdout.splitlines() if "::" in line]
    mine = set(here)  # without what was deselected
    assert [one for one in elsewhere if one in mine] == here
