"""The portal over the desk of reviews, asked without a network; a module that needs another desk has its own."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from portal_client import Portal
from review_desk import ReviewDesk


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[ReviewDesk]:
    desk = ReviewDesk(f"sqlite:///{tmp_path / 'register.db'}")
    yield desk
    desk.close()


@pytest.fixture
async def portal(desk: ReviewDesk) -> AsyncIterator[Portal]:
    async with Portal(desk) as portal:
        yield portal
