"""When a brought recording begins, as it is typed on the page: in its zone, and never guessed (R8, R20, F4)."""

from datetime import UTC, datetime

import pytest
from portal_client import Portal
from review_desk import ReviewDesk
from review_pages import text_of

from services.database.tables.uploads import Upload

pytestmark = pytest.mark.requirement("R8", "R20")

TYPED = {"source": "meeting", "title": "例会", "place": "三楼", "recordedBy": "王芳", "startKnownBy": "会议纪要"}


@pytest.mark.requirement("R8", "R20", refuses=True)
@pytest.mark.parametrize(
    ("zone", "local", "sentence"),
    [
        ("Europe/Berlin", "2030-10-27T02:30:00", "出现过两次"),
        ("Europe/Berlin", "2030-03-31T02:30:00", "不存在"),
        ("Europe/Berlin", "yesterday", "看不懂"),
        ("Mars/Base", "2030-10-27T02:30:00", "没有这个时区"),
        ("../../etc/passwd", "2030-10-27T02:30:00", "没有这个时区"),
    ],
)
async def test_a_start_that_is_no_moment_is_refused_and_what_was_typed_stays(
    desk: ReviewDesk, zone: str, local: str, sentence: str
) -> None:
    async with Portal(desk) as portal:
        browser = await portal.signed_in("drafter")

        refused = await browser.post("/uploads", data={**TYPED, "zone": zone, "startLocal": local})

    assert refused.status_code == 422
    assert sentence in text_of(refused)
    assert 'value="三楼"' in refused.text
    assert desk.all(Upload) == []


async def test_a_start_is_the_moment_that_the_clock_of_its_zone_showed(desk: ReviewDesk) -> None:
    async with Portal(desk) as portal:
        browser = await portal.signed_in("drafter")
        typed = {**TYPED, "zone": "Europe/Berlin", "startLocal": "2030-07-01T10:00:00"}

        assert (await browser.post("/uploads", data=typed)).status_code == 303

    assert desk.the(Upload).stated_start == datetime(2030, 7, 1, 8, tzinfo=UTC)
