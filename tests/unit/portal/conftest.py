"""What the tests of custody at the portal share: footage that is filmed once, and a desk with it."""

from pathlib import Path

import pytest
from custody_desk import film


@pytest.fixture(scope="session")
def filmed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recorder's folder; each desk copies it."""
    return film(tmp_path_factory.mktemp("footage") / "recorder")
