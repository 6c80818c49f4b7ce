"""A store of its own for each test, and a camera whose recordings it seals."""

from pathlib import Path

import pytest
from footage_maker import Camera
from vault_bench import Bench


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench.in_folder(tmp_path)


@pytest.fixture
def camera(bench: Bench) -> Camera:
    return Camera(bench.root, "cam1")
