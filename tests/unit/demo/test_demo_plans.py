"""The demo's site is kept, and each of its cameras is on a plan that an applicant sees."""

from pathlib import Path

from new_database import lay_out
from review_desk import NOON, Box

from services.database.tables.audit import AuditEvent
from services.database.unit_of_work import Actor, UnitOfWork
from services.demo import organisation, plans
from services.demo.organisation import demo_id
from services.demo.recordings import CAMERAS, Recordings
from services.domain.cameras import plans as floor_plans
from services.domain.storage import sites
from services.domain.wiring import open_database
from services.runtime.clock import FixedClock
from services.runtime.rules import Rules


def test_each_camera_of_the_demo_is_on_a_drawn_plan_of_a_kept_site_and_a_second_start_adds_nothing(
    tmp_path: Path,
) -> None:
    database = open_database(
        f"sqlite:///{tmp_path / 'database.sqlite3'}", FixedClock(NOON), Rules(max_use_days=30), secrets=Box()
    )
    lay_out(database)
    organisation.enter(database, Recordings(tmp_path))
    plans.seed(database, demo_id)

    def acts(uow: UnitOfWork) -> int:
        return uow.session.query(AuditEvent).count()

    before = database.run_now(organisation.ACTOR, acts)
    plans.seed(database, demo_id)
    assert database.run_now(organisation.ACTOR, acts) == before

    applicant = Actor("person", demo_id("lina"))
    shown = database.read_now(applicant, floor_plans.list_shown)
    assert [(line.site, line.row.floor_en, line.pins) for line in shown] == [
        (plans.SITE.name, "Whole site", len(CAMERAS)),
        (plans.SITE.name, "Ground floor", 2),
    ]
    for line in shown:
        assert database.read_now(applicant, floor_plans.read_picture, line.row.id).startswith(b"\xff\xd8\xff")
        assert (line.row.width, line.row.height) == (1600, 1067)
    assert database.read_now(organisation.ACTOR, sites.list_vacant) == []
    database.close()
