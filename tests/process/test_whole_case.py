"""One application from the form to the archive: what it leaves in register and vault, whatever it runs on."""

import pytest
from desk_people import People

pytestmark = pytest.mark.zeebe


@pytest.mark.requirement("R16", "R35", "R40")
async def test_two_items_go_from_the_form_to_the_archive(desk: People) -> None:
    case = await desk.apply("cam1", "gate")

    await desk.accept(case)
    await desk.returned(case)
