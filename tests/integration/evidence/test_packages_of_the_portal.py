"""Packages that the portal is asked for: made with the keys of one part, handed out by the register's rules."""

import hashlib
import json
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import fields
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from bad_disk import bad_disk
from case_people import CUSTODIAN
from demo_container import CLERK
from evidence_case import attach
from package_desk import PackageDesk, opened
from photographs import png
from sqlalchemy import select, update
from whole_footage import Footage

from services.database.base import new_id
from services.database.tables.applications import Application
from services.database.tables.evidence_packages import EvidencePackage, PackageAttempt
from services.database.tables.masters import Master
from services.database.tables.matters import Matter
from services.database.tables.notices import Notice
from services.database.tables.people import Post
from services.database.tables.suspensions import Suspension
from services.database.tables.violations import Hearing
from services.database.unit_of_work import Actor, UnitOfWork
from services.demo.organisation import demo_id
from services.domain.audit import trail
from services.domain.packages import making, policy
from services.domain.supervision import footage_viewers
from services.evidence import package
from services.evidence.package import Sources
from services.runtime.canonical_json import hash_of
from services.runtime.errors import NotFound, Refused
from services.runtime.threads import run_in_thread
from services.vault.keys.log_key import FOLDER, ensure_log_key
from services.vault.keys.vault_keys import LoanKeys
from services.vault.store.protocol import StoreDown
from services.verifier.examination import examine
from services.verifier.members import Archive


@pytest.mark.requirement("R28")
@pytest.mark.requirement("R47")
@pytest.mark.requirement("R58", refuses=True)
async def test_a_package_is_asked_for_approved_made_and_fetched(
    tmp_path: Path, case_footage: Footage, case_books: Path
) -> None:
    async with opened(tmp_path, case_footage, case_books) as desk:
        await attach(desk, "lina", desk.case, "letter", png(40, 30))
        row = await desk.ask("wulei", "clear")
        for login in ("wulei", "zhaoqiang", "zhangwei"):  # who asked, of the same department, of no such post
            with pytest.raises((Refused, NotFound)):
                await desk.approve(login, row)
        assert not await desk.maker.run()
        await desk.approve("yangfan", row)
        with pytest.raises(Refused, match="decided already"):
            await desk.approve("yangfan", row)

        assert await desk.maker.run()

        row = desk.package(row.id)
        assert row.made_at is not None, row.failed_because
        assert row.sealed is not None
        async with desk.portal("wulei") as client:
            fetch = await client.post(f"/api/packages/{row.id}/fetches")
            assert fetch.status_code == 201, fetch.text
            assert [one.done_at for one in desk.look(_list_told, row.id)] == [None]
            content = fetch.json()["content"]
            whole = await client.get(content)
            half = row.sealed["plainSize"] // 2
            rest = await client.get(content, headers={"Range": f"bytes={half}-"})
            beyond = await client.get(content, headers={"Range": f"bytes={2 * half + 2}-"})
            listed = (await client.get(f"/api/packages/{row.id}")).json()
        assert (rest.status_code, rest.content) == (206, whole.content[half:])
        assert beyond.status_code == 416
        assert hashlib.sha256(whole.content).hexdigest() == row.sealed["sha256Plain"] == listed["sha256"]
        assert listed["fetches"][0]["finishedAt"]
        assert None not in [one.done_at for one in desk.look(_list_told, row.id)]
        sent, named = [
            [json.loads(e.entry)["detail"] for e in desk.events(a)] for a in ("package-sent", "package-made")
        ]
        assert sorted((one["begin"], one["end"]) for one in sent) == [
            (0, len(whole.content)),
            (half, len(whole.content)),
        ]
        assert named[0]["file_sha256"] == listed["sha256"]
        assert len(desk.events("custody-packaged")) == len(desk.events("package-fetched")) == 1
        looks = desk.database.run_now(CLERK, footage_viewers.list_all, demo_id("cam1"), desk.footage.asked)
        assert [look.person_id for look in looks if look.how == "packaged"] == [demo_id("wulei")]
        portals = tmp_path / "portal.zip"
        portals.write_bytes(whole.content)

        made = await run_in_thread(package.make, desk.sources, desk.number, tmp_path / "command.zip")

        for path in (portals, made.path):
            report = examine(path, [made.fingerprints["root"], made.fingerprints["log"]])
            assert report.exit_code == 0, report.failed
        with Archive(portals) as one, Archive(made.path) as other:
            assert [member.name for member in one.members] == [member.name for member in other.members]
            # what is signed anew has another signature, and the log has gone on
            alike = [
                member.name
                for member in one.members
                if not member.name.startswith(("audit/", "custody/", "manifest"))
                and not (member.name.startswith("documents/") and member.name.endswith(".label.json"))
            ]
            assert "attachments/01.png" in alike
            assert "footage/1-master.mp4" in alike
            assert any("package-approval" in name for name in alike)
            for name in alike:
                assert one.by_name[name].crc == other.by_name[name].crc, name
        assert b"footage-desk-package" not in _stored(desk, row)  # it lies encrypted


class Watched(Sources):
    """Material of a case that somebody looks at all the time."""

    def signed_head(self, application_id: str, actor: Actor) -> str | None:
        note = super().signed_head(application_id, actor)

        def look(uow: UnitOfWork) -> None:
            trail.record(uow, "case-read", "application", application_id, application_id=application_id)

        self.database.run_now(actor, look)
        return note


@pytest.mark.requirement("R47", "R58")
async def test_a_case_that_is_read_all_the_time_has_its_package(
    tmp_path: Path, case_footage: Footage, case_books: Path
) -> None:
    async with opened(tmp_path, case_footage, case_books) as desk:
        watched = Watched(**{field.name: getattr(desk.sources, field.name) for field in fields(desk.sources)})

        made = await run_in_thread(package.make, watched, desk.number, tmp_path / "read.zip")

        report = examine(made.path, [made.fingerprints["root"], made.fingerprints["log"]])
        assert report.exit_code == 0, report.failed


@pytest.mark.requirement("R2", refuses=True)
@pytest.mark.requirement("R41", refuses=True)
async def test_only_who_may_gets_a_package_and_as_long_as_that_is_so(
    tmp_path: Path, case_footage: Footage, case_books: Path
) -> None:
    async with opened(tmp_path, case_footage, case_books) as desk:
        for login in (CUSTODIAN, "zhangwei", "luoxin", "heping", "hutao", "gaofeng"):
            with pytest.raises(Refused, match="for Security, and for the head of Legal"):
                await desk.ask(login)
        with pytest.raises(Refused, match="for this organisation and for authorities"):
            await desk.ask("wulei", "clear", recipient_kind="other")
        # whom the form names for the copies gets them otherwise, and whoever applied approves nothing of it
        for column, code in (("custodian_id", "own-loan"), ("recipient_ids", "own-loan"), ("drafter_id", "own-case")):
            row = await desk.ask("wulei", "clear")
            before = desk.database.run_now(CLERK, _become, desk.case, column, "yangfan")
            with pytest.raises(Refused) as refused:
                await desk.approve("yangfan", row)
            assert refused.value.code == code
            desk.database.run_now(CLERK, _become, desk.case, column, before)
            await desk.approve("yangfan", row, "refused", "不同意提供")
        row = await desk.made("zhengjie")
        for login in ("wulei", "yangfan", CUSTODIAN):
            async with desk.portal(login) as client:
                for answer in (
                    await client.get(f"/api/packages/{row.id}"),
                    await client.post(f"/api/packages/{row.id}/fetches"),
                ):
                    assert answer.status_code == 404
        async with desk.portal("zhengjie") as client:
            content = (await client.post(f"/api/packages/{row.id}/fetches")).json()["content"]
            desk.database.run_now(CLERK, _accuse, desk.case, "zhengjie")
            accused = await client.get(content)
            assert (accused.status_code, accused.json()["code"]) == (403, "accused")
            desk.database.run_now(CLERK, _accuse, desk.case, None)
            desk.database.run_now(CLERK, _suspend, "zhengjie")
            assert (await client.get(content)).json()["code"] == "person-suspended"
            desk.database.run_now(CLERK, _suspend, "zhengjie", lifted=True)
            assert (await client.get(content)).status_code == 200

            waiting = await desk.ask("zhengjie", "sealed")
            desk.database.run_now(CLERK, _end_posts, "zhengjie")
            assert (await client.get(content)).status_code == 403
            await desk.maker.run()
            assert (desk.package(waiting.id).made_at, desk.package(waiting.id).failed_at is None) == (None, False)
            desk.database.run_now(CLERK, _end_posts, "zhengjie", again=True)

            desk.clock.turn(policy.KEPT_FOR)
            over = await client.get(content)
            assert (over.status_code, over.json()["code"]) == (409, "package-expired")
            assert (await client.post(f"/api/packages/{row.id}/fetches")).json()["code"] == "package-expired"
        assert row.attempt_id in desk.loan_keys()
        await desk.maker.run()
        assert row.attempt_id not in desk.loan_keys()
        assert desk.container.store.stat("copies", str((row.sealed or {})["key"])) is None
        assert desk.package(row.id).discarded_at is not None


async def test_a_package_whose_footage_the_store_does_not_give_holds_up_no_other(
    tmp_path: Path, case_footage: Footage, case_books: Path
) -> None:
    async with opened(tmp_path, case_footage, case_books) as desk:
        over = await desk.made("yangfan")
        desk.database.run_now(CLERK, _end, over.id)
        asked = [await desk.ask("yangfan", footage) for footage in ("sealed", "hash")]
        [master] = desk.look(lambda uow: list(uow.session.scalars(select(Master))))
        for seconds, row in enumerate(asked):
            desk.database.run_now(CLERK, _queue, row.id, timedelta(seconds=seconds))

        async def run(*, fails: bool) -> list[bool]:
            with pytest.raises(StoreDown) if fails else nullcontext():
                assert await desk.maker.run()
            desk.log_head.wake()  # what was made is on record since the last head
            return [desk.package(row.id).made_at is not None for row in asked]

        store = desk.container.store
        with bad_disk(store, "delete", f"*{over.id}*") as kept:
            with bad_disk(store, "get", str(master.sealed["key"])):
                assert await run(fails=True) == [False, False]
                assert await run(fails=False) == [False, True]
                assert await run(fails=True) == [False, True]
            assert await run(fails=False) == [True, True]
            assert await run(fails=True) == [True, True]
        assert len(kept) == 5
        assert not await desk.maker.run()
        assert desk.package(over.id).discarded_at is not None


@pytest.mark.slow
@pytest.mark.postgres
async def test_a_run_whose_process_ended_is_begun_anew_and_leaves_nothing(
    tmp_path: Path, case_footage: Footage, postgres_database: Callable[..., str]
) -> None:
    address = postgres_database(migrated=True)
    async with opened(tmp_path, case_footage, database_url=address) as desk:
        row = await desk.ask("yangfan", "sealed")
        order = await desk.apart.run(CLERK, making.begin)
        assert order is not None
        LoanKeys(desk.settings.keys / "loans").create(order.attempt_id)

        assert await desk.maker.run()

        row = desk.package(row.id)
        assert row.made_at is not None, row.failed_because
        attempts = desk.look(lambda uow: list(uow.session.scalars(select(PackageAttempt))))
        assert {one.id: (one.abandoned_at is None, one.swept_at is None) for one in attempts} == {
            order.attempt_id: (False, False),
            row.attempt_id: (True, True),
        }
        assert order.attempt_id not in desk.loan_keys()
        # what names another log than this portal's is not handed out, whoever wrote it into the database
        stranger = ensure_log_key(tmp_path / "stranger").public.vkey
        desk.database.run_now(CLERK, lambda uow: setattr(_row(uow, row.id), "log_keys", [stranger]))
        own = desk.settings.keys / FOLDER / "log-vkeys.txt"
        own.write_text(f"{stranger}\n")
        async with desk.portal("yangfan") as client:
            answer = await client.post(f"/api/packages/{row.id}/fetches")
        assert (answer.status_code, answer.json()["code"]) == (409, "package-strange")
        assert desk.events("package-fetched") == []


def _details(desk: PackageDesk, action: str) -> list[dict[str, Any]]:
    return [json.loads(event.entry)["detail"] for event in desk.events(action)]


def _list_told(uow: UnitOfWork, package_id: str) -> Sequence[Notice]:
    query = select(Notice).where(Notice.code == "package-ready", Notice.subject_id == package_id)
    return uow.session.scalars(query).all()


def _row(uow: UnitOfWork, package_id: str) -> EvidencePackage:
    return uow.session.get_one(EvidencePackage, package_id)


def _stored(desk: PackageDesk, row: EvidencePackage) -> bytes:
    sealed = row.sealed or {}
    return b"".join(desk.container.store.get(sealed["bucket"], sealed["key"]))


def _end(uow: UnitOfWork, package_id: str) -> None:
    _row(uow, package_id).expires_at = uow.now


def _queue(uow: UnitOfWork, package_id: str, later: timedelta) -> None:
    _row(uow, package_id).queued_at = uow.now - timedelta(minutes=1) + later


def _accuse(uow: UnitOfWork, application_id: str, login: str | None) -> None:
    """Accuse somebody in a violation of the case; without anybody the violation is cleared."""
    if login is None:
        uow.session.execute(update(Matter).where(Matter.kind == "violation").values(closed_as="cleared"))
        return
    facts: dict[str, Any] = {}
    matter = Matter(
        id=new_id(),
        number="WG-2031-000001",
        kind="violation",
        application_id=application_id,
        opened_at=uow.now,
        facts=facts,
        facts_sha256=hash_of(facts),
    )
    uow.session.add(matter)
    uow.session.flush()
    uow.session.add(Hearing(matter_id=matter.id, person_id=demo_id(login), part="accused"))


def _become(uow: UnitOfWork, application_id: str, column: str, value: Any) -> Any:
    """Name somebody in the case; return who was named before."""
    application = uow.session.get_one(Application, application_id)
    before = getattr(application, column)
    if isinstance(before, list) and isinstance(value, str):
        value = [demo_id(value)]
    elif value == "yangfan":
        value = demo_id(value)
    setattr(application, column, value)
    return before


def _suspend(uow: UnitOfWork, login: str, *, lifted: bool = False) -> None:
    if lifted:
        uow.session.execute(update(Suspension).values(lifted_at=uow.now))
    else:
        uow.session.add(Suspension(id=new_id(), person_id=demo_id(login), cause="violation", since=uow.now))


def _end_posts(uow: UnitOfWork, login: str, *, again: bool = False) -> None:
    uow.session.execute(update(Post).where(Post.person_id == demo_id(login)).values(until=None if again else uow.now))
