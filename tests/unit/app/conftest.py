"""What the starts share: a free port, and settings whose store does not answer."""

from pathlib import Path

import broken_gateways
import pytest

from services.runtime.settings import Settings


@pytest.fixture
def free_port() -> int:
    return broken_gateways.free_port()


@pytest.fixture
def away(tmp_path: Path, free_port: int) -> Settings:
    """The settings of a process whose store does not answer."""
    store = {"endpoint": f"127.0.0.1:{free_port}", "access_key": "a", "secret_key": "b", "secure": False}
    return Settings.load(data_dir=tmp_path / "var", store=store, replica={"folder": tmp_path / "replica"})
