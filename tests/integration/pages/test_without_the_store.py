"""While the object storage is away people sign in, see their inbox and decide; what needs it says so."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from portal_client import Portal
from review_desk import ReviewDesk
from review_pages import decision, text_of

from services.database.tables.applications import Application
from services.database.tables.process_steps import ProcessStep
from services.database.tables.reviews import Decision
from services.runtime.settings.stores import FolderStore
from services.vault.store.opening import open_store
from services.vault.store.protocol import StoreDown
from services.vault.store.unchecked import UncheckedStore


@pytest.fixture
def away(tmp_path: Path) -> Any:
    def check() -> None:
        raise StoreDown("the store at s3.example:9000 could not check the bucket for now")

    return UncheckedStore.of(open_store(FolderStore(tmp_path / "store", "t")), check)


async def test_people_sign_in_see_their_inbox_and_decide(desk: ReviewDesk, away: Any) -> None:
    review_id = desk.opened(desk.submitted(), "preliminary")
    async with Portal(desk, store=away) as portal:
        head = await portal.signed_in("head")
        assert (await head.get("/inbox")).status_code == 200
        assert (await head.get(f"/reviews/{review_id}")).status_code == 200
        decided = await head.post(f"/reviews/{review_id}/decide", data=decision(desk, review_id, "approved"))

    assert decided.status_code == 303
    assert [one.outcome for one in desk.all(Decision)] == ["approved"]


async def test_a_case_and_the_storage_office_say_what_a_step_waits_for(desk: ReviewDesk) -> None:
    application_id = desk.submitted()
    desk.classed(application_id, process_instance_key=1000)
    moments = {name: desk.clock.now() for name in ("began_at", "waiting_since", "next_try_at", "waiting_until")}

    def begin(uow: Any) -> None:
        uow.session.add(
            ProcessStep(
                element_instance_key=10,
                application_id=application_id,
                process_id="video-retrieval",
                process_instance_key=1000,
                element_id="Task_FileApplication",
                attempts=3,
                waiting_for="store",
                **moments,
            )
        )
        uow.session.get_one(Application, application_id).process_instance_key = 1000

    desk.run(begin)
    async with Portal(desk) as portal:
        drafter = await portal.signed_in("drafter")

        async def told(language: str) -> str:
            drafter.cookies.set("footage_desk_language", language)
            return text_of(await drafter.get(f"/cases/{application_id}"))

        def change(**values: Any) -> None:
            desk.run(lambda uow: [setattr(uow.session.get_one(ProcessStep, 10), *one) for one in values.items()])

        assert "Waiting for the object storage since" in (page := await told("en"))
        assert "Next attempt at" in page
        assert "等待对象存储恢复。下次尝试" in await told("zh")
        change(next_try_at=None)
        assert "a new attempt is running" in await told("en")
        assert "正在重新尝试" in await told("zh")
        change(next_try_at=desk.clock.now())
        desk.clock.turn(timedelta(minutes=11))
        assert "did not start, perhaps because no worker is running" in await told("en")
        change(stuck_since=desk.clock.now(), waiting_since=None)
        assert (
            "the object storage was unavailable for too long. It continues only after an administrator"
            in await told("en")
        )
        assert "须由系统管理员排除故障并重试后才能继续" in await told("zh")
        change(waiting_for=None)
        assert "by an incident. It continues only after an administrator has removed the cause" in await told("en")
