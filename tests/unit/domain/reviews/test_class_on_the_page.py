"""The page of a review says of which class the case is, also where no mark makes it important."""

import re
from collections.abc import Iterator

import pytest
from portal_client import Portal
from review_desk import ReviewDesk

from services.database.tables.cameras import Camera


@pytest.fixture
def desk(any_database_url: str) -> Iterator[ReviewDesk]:
    desk = ReviewDesk(any_database_url)
    yield desk
    desk.close()


async def read_class(portal: Portal, review_id: str, language: str) -> str:
    """The words beside “Class”, as the storage office reads them."""
    client = await portal.signed_in("operator")
    client.cookies.set("footage_desk_language", language)
    page = (await client.get(f"/reviews/{review_id}")).text
    term = {"en": "Class", "zh": "等级"}[language]
    [value] = re.findall(rf"<dt>{term}</dt><dd>(.*?)</dd>", page, re.DOTALL)
    return " ".join(re.sub(r"<[^>]*>", " ", value).split())


@pytest.mark.requirement("R5")
async def test_a_case_that_is_important_by_its_camera_alone_is_called_so(desk: ReviewDesk) -> None:
    desk.run(lambda uow: setattr(uow.session.get_one(Camera, "camera"), "camera_class", "sensitive"))
    application_id = desk.submitted()
    desk.approved(application_id)
    desk.classed(application_id, importance="important")
    review_id = desk.opened(application_id, "storage-release")
    async with Portal(desk) as portal:
        assert await read_class(portal, review_id, "en") == "important Footage of a sensitive area is requested: item 1"
        assert await read_class(portal, review_id, "zh") == "重要 申请调取敏感区域的录像：第 1 项"


async def test_a_case_with_nothing_of_it_is_not_marked(desk: ReviewDesk) -> None:
    application_id = desk.submitted()
    desk.approved(application_id)
    desk.classed(application_id, importance="ordinary")
    review_id = desk.opened(application_id, "storage-release")
    async with Portal(desk) as portal:
        assert await read_class(portal, review_id, "en") == "Not marked"
