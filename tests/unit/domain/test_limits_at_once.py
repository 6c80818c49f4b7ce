"""A limit that counts rows before one is added holds as well where two are added at once, on both databases."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from threading import Barrier, BrokenBarrierError
from typing import Any

import pytest
from at_once import at_once
from review_desk import ReviewDesk

from services.database.tables.cameras import Camera, FavouriteCamera, FloorPlan
from services.database.tables.change_requests import ChangeRequest
from services.database.tables.notice_robots import NoticeRobot
from services.database.unit_of_work import UnitOfWork
from services.domain.accounts import staff
from services.domain.cameras import favourites, plans, service
from services.domain.cameras.plans import PlanEntry
from services.domain.change_requests import service as change_requests
from services.domain.notifications import robots
from services.domain.notifications.robots import NewRobot
from services.domain.storage import sites
from services.domain.storage.schemas import SiteBody
from services.runtime.errors import Refused

MOST = 2
pytestmark = pytest.mark.both_databases


class ComparedTogether(int):
    """A limit that is compared with a count once another act has its count too, or waits in vain for this one."""

    def __new__(cls, most: int) -> "ComparedTogether":
        limit = super().__new__(cls, most)
        limit.both = Barrier(2)
        return limit

    both: Barrier

    def __le__(self, count: int) -> bool:
        with suppress(BrokenBarrierError):
            self.both.wait(timeout=1)
        return count >= int(self)


@pytest.fixture
def desk(any_database_url: str) -> Iterator[ReviewDesk]:
    desk = ReviewDesk(any_database_url)
    yield desk
    desk.close()


def last_two(desk: ReviewDesk, acts: list[Callable[[UnitOfWork], Any]], by: str, limit: Callable[[int], None]) -> str:
    """The code of the one that is refused, of the two that follow the first act at once."""
    desk.run(acts[0], by=by)
    limit(MOST)
    ended = at_once(*(partial(desk.run, act, by=by) for act in acts[1:]))
    [refusal] = [one for one in ended if isinstance(one, Exception)]
    assert isinstance(refusal, Refused)
    return refusal.code


def test_of_two_favourites_the_last_allowed_one_is_marked(desk: ReviewDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    def add_camera(uow: UnitOfWork, number: int) -> str:
        entry = service.CameraEntry(
            "recorder", f"9{number}", f"门{number}", f"Gate {number}", "门", "gate", "ordinary", 30
        )
        return service.add(uow, entry).id

    cameras = [desk.run(partial(add_camera, number=number), by="admin") for number in range(3)]
    acts = [partial(favourites.mark, camera_id=camera, marked=True) for camera in cameras]

    code = last_two(desk, acts, "drafter", lambda most: monkeypatch.setattr(favourites, "MOST", ComparedTogether(most)))

    assert (code, len(desk.all(FavouriteCamera)), len(desk.all(Camera)) >= MOST) == ("favourites-full", MOST, True)


def test_of_two_plans_the_last_allowed_one_is_added(desk: ReviewDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    body = SiteBody(name="东区", address="东路 1 号", uses=["viewing"])
    site = desk.run(lambda uow: sites.add(uow, body).id, by="admin")
    entries = [PlanEntry(site, "三号楼", "Building 3", f"{floor} 层", f"Floor {floor}", floor) for floor in (1, 2, 3)]
    acts = [partial(plans.add, entry=entry) for entry in entries]

    code = last_two(desk, acts, "admin", lambda most: monkeypatch.setattr(plans, "MOST_PLANS", ComparedTogether(most)))

    assert (code, len(desk.all(FloorPlan))) == ("plans-full", MOST)


def test_of_two_robots_the_last_allowed_one_is_added(desk: ReviewDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    def new(number: int) -> NewRobot:
        address = f"http://127.0.0.1:1081/cgi-bin/webhook/send?key=TOKEN-{number}"
        return NewRobot(
            kind="wecom", name=f"群 {number}", language="zh", address=address, secret=None, networks="127.0.0.0/8"
        )

    acts = [partial(robots.add, new=new(number)) for number in range(3)]

    code = last_two(desk, acts, "admin", lambda most: monkeypatch.setattr(robots, "MOST", ComparedTogether(most)))

    assert (code, len(desk.all(NoticeRobot))) == ("too-many-robots", MOST)


@pytest.mark.requirement("R2", refuses=True)
def test_of_two_requests_the_last_allowed_one_is_asked(desk: ReviewDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    def add(number: int) -> Callable[[UnitOfWork], Any]:
        named = {"name_zh": f"保卫{number}", "name_en": f"Security {number}", "superior_id": None}
        return partial(staff.add_department, **named, kind="security")

    both, ask = Barrier(2), change_requests._ask

    def ask_together(*arguments: Any, **named: Any) -> None:
        """Ask once the other one is refused as well, so that both have counted before either is written."""
        with suppress(BrokenBarrierError):
            both.wait(timeout=1)
        ask(*arguments, **named)

    monkeypatch.setattr(change_requests, "MAX_ASKED", MOST)
    with pytest.raises(Refused):
        desk.run(add(0), by="admin")
    monkeypatch.setattr(change_requests, "_ask", ask_together)
    ended = at_once(*(partial(desk.run, add(number), by="admin") for number in (1, 2)))

    assert all(isinstance(one, Refused) for one in ended)
    assert len(desk.all(ChangeRequest)) == MOST
