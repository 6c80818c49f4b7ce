"""The portal over the desk of reviews, asked without a network; a module that needs another desk has its own."""

import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import certifi
import pytest
from cheap_passwords import use_cheap_passwords
from custody_desk import film
from forked_clips import use_forked_clips
from portal_client import Portal
from quick_storage import use_quick_storage
from review_desk import ReviewDesk


@pytest.fixture(scope="session", autouse=True)
def _cheap(tmp_path_factory: pytest.TempPathFactory) -> None:
    use_cheap_passwords()
    use_quick_storage()
    use_forked_clips()
    # Each client that could speak TLS reads every authority of the machine, for 30 ms of the processor.
    end = "-----END CERTIFICATE-----\n"
    authority = tmp_path_factory.mktemp("authorities") / "one.pem"
    authority.write_text(Path(certifi.where()).read_text(encoding="utf-8").partition(end)[0] + end, encoding="utf-8")
    os.environ["SSL_CERT_FILE"] = str(authority)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[ReviewDesk]:
    desk = ReviewDesk(f"sqlite:///{tmp_path / 'database.sqlite3'}")
    yield desk
    desk.close()


@pytest.fixture
async def portal(desk: ReviewDesk) -> AsyncIterator[Portal]:
    async with Portal(desk) as portal:
        yield portal


@pytest.fixture(scope="session")
def filmed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recorder's folder, filmed once; each desk of custody copies it."""
    return film(tmp_path_factory.mktemp("footage") / "recorder")
