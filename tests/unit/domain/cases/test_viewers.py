"""Who saw minute X: known to the fragment for viewings, for downloads that left, and for pictures (F20)."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from custody_desk import NOON, Desk

from services.database.tables.applications import Item
from services.database.tables.audit import AuditEvent
from services.database.tables.copies import Copy
from services.domain.cases import viewers
from services.domain.custody import viewings
from services.runtime.spans import Span

ADDRESS = "192.0.2.1"
RECIPIENT = "age1" + "q" * 58
SECOND = timedelta(seconds=1)
FIRST = NOON - timedelta(hours=5)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    footage = tmp_path / "no footage"
    footage.mkdir()
    desk = Desk(tmp_path, footage)
    yield desk
    desk.database.close()


@pytest.mark.requirement("R41", "R52", verb="recorded")
def test_who_saw_a_minute_is_known_and_who_saw_another_is_not_named(desk: Desk) -> None:
    case = desk.case("gate").approve(granted_way_of_use="download")
    case.accept(desk.do(desk.lend_on_paper, case))
    [copy] = desk.rows(Copy)
    fragments = [[0, 1000, 500], [60_000, 1500, 500], [120_000, 2000, 500]]
    coverage = {"firstFrame": FIRST.isoformat(), "lastFrame": (FIRST + 180 * SECOND).isoformat()}
    desk.change(Copy, copy.id, sealed={**copy.sealed, "fragments": fragments, "coverage": coverage})
    [camera_id] = {item.camera_id for item in desk.rows(Item) if item.id == copy.item_id}

    def seen(start: int, end: int) -> list[tuple[str, str, str | None]]:
        span = Span(FIRST + start * SECOND, FIRST + end * SECOND)
        return [(one.how, one.person_id, one.address) for one in desk.do(viewers.list_viewers, camera_id, span)]

    opening = {"purpose_confirmed": True, "address": ADDRESS}
    sitting = desk.as_person("custodian", viewings.open_viewing, copy.id, **opening)
    assert seen(0, 3600) == []  # opened, and nothing read yet
    desk.as_person("custodian", viewings.record_read, copy.id, sitting.viewing_id, 1500, 100)
    assert seen(60, 120) == [("viewing", "custodian", ADDRESS)]
    assert seen(70, 71) == [("viewing", "custodian", ADDRESS)]
    assert seen(0, 60) == []
    assert seen(120, 180) == []
    assert seen(-7200, -3600) == []

    wish = {"recipient": RECIPIENT, "medium": "USB stick 7", "address": ADDRESS}
    download = desk.as_person("custodian", viewings.list_download, copy.id, **wish)
    assert seen(0, 60) == []
    desk.change(type(download), download.id, reads=1)
    assert seen(0, 60) == [("download", "custodian", ADDRESS)]

    asked = [event for event in desk.rows(AuditEvent) if event.action == "viewers-read"]
    assert len(asked) == 8
    assert asked[0].subject_id == camera_id
