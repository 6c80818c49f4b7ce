"""An item that Security leaves out is never fetched, and its siblings go on to the custodian (R4)."""

import pytest
from case_people import People

from services.database.tables.copies import Copy
from services.database.tables.masters import Master
from services.domain.reviews.scopes import Granting


@pytest.mark.zeebe
@pytest.mark.requirement("R4")
async def test_what_security_leaves_out_is_never_fetched(desk: People) -> None:
    case = await desk.apply("cam1", "gate")
    kept, left_out = desk.items(case)
    await desk.decide(case, "preliminary")
    await desk.decide(case, "security", granting=Granting(removed=(left_out.id,)))
    await desk.accept(case)

    assert [master.item_id for master in desk.rows(Master)] == [kept.id]
    assert [copy.item_id for copy in desk.rows(Copy)] == [kept.id]
    await desk.returned(case)
