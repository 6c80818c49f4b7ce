"""grant-emergency-view and end-emergency-view: copies under keys of their own, which are destroyed with the view."""

import hashlib
from datetime import timedelta
from typing import Any

import pytest
import rfc8785
from custody_desk import ASKED, Case, Desk
from sqlalchemy import select

from services.database.tables.applications import Item
from services.database.tables.audit import AuditEvent
from services.database.tables.emergency_views import EmergencyCopy, EmergencyGrant
from services.database.tables.matters import Matter
from services.database.tables.notices import Notice
from services.database.tables.preservations import FailedPreservation
from services.database.tables.reviews import Decision, Review
from services.database.tables.upload_attempts import UploadAttempt
from services.database.unit_of_work import UnitOfWork
from services.domain.cases import footage
from services.domain.custody import emergency
from services.domain.matters.kinds import urgent
from services.domain.process import permissions
from services.domain.retrieval import attempts, preservations
from services.runtime.errors import NotPermitted, NotYet
from services.vault.age import NotARecipient
from services.vault.keys.vault_keys import KeyGone
from services.vault.sealing import Sealed, open_sealed
from services.workers import end_emergency_view, grant_emergency_view, preserve_footage

MATTER = "urgent-1"


def called(desk: Desk, case: Case, *, released: bool = True, signed: bool = True) -> None:
    """An urgent retrieval of the case, and its release, as the portal writes them; ``signed``: with its item."""
    items = desk.do(lambda uow: urgent.items_of(uow, permissions.read(uow, case.id))) if signed else []
    facts = {
        "asked": {"ground": "fire", "reason": "火情。"},
        "before": {"items": items, "repeats": None},
        "application": str(case.application.number),
    }
    sha256 = hashlib.sha256(rfc8785.dumps(facts)).hexdigest()

    def act(uow: UnitOfWork) -> None:
        uow.session.add(
            Matter(
                id=MATTER,
                number="JQ-2031-000001",
                kind="urgent",
                application_id=case.id,
                opened_by="drafter",
                opened_at=uow.now,
                facts=facts,
                facts_sha256=sha256,
            )
        )
        uow.session.flush()
        if released:
            review = Review(
                id="release",
                application_id=case.id,
                matter_id=MATTER,
                stage="urgent-release",
                round=0,
                job_key=900,
                process_instance_key=1,
                opened_at=uow.now,
                due_at=uow.now,
                closed_at=uow.now,
                closed_because="decided",
            )
            uow.session.add(review)
            uow.session.flush()
            uow.session.add(
                Decision(
                    review_id="release",
                    application_id=case.id,
                    matter_id=MATTER,
                    stage="urgent-release",
                    round=0,
                    outcome="approved",
                    decided_by="operator",
                    decided_at=uow.now,
                    answers={},
                    variables={},
                    form_sha256=sha256,
                    statement_sha256="0" * 64,
                    signature={},
                )
            )

    desk.do(act)


async def preserve(desk: Desk, case: Case) -> Any:
    return await desk.work(
        preserve_footage, application_id=case.id, matter_id=MATTER, job_key=(1 << 51) + 9, process_instance_key=5
    )


def begun_by_the_case(desk: Desk, case: Case) -> None:
    """The case's own job preserves its item now; its process is of another partition, whose keys are all higher."""
    desk.do(attempts.start, "quarantine", application_id=case.id, item_id=case.item(), job_key=(3 << 51) + 1)


async def grant(desk: Desk, instance: int = 5) -> Any:
    return await desk.work(grant_emergency_view, matter_id=MATTER, process_instance_key=instance)


async def end(desk: Desk) -> Any:
    return await desk.work(end_emergency_view, matter_id=MATTER)


@pytest.mark.requirement("R2", "R41", refuses=True)
async def test_what_is_seen_opens_with_its_own_key_alone_until_the_view_ends(desk: Desk) -> None:
    case = desk.case("gate")
    called(desk, case)
    assert (await preserve(desk, case)).items_preserved == 1

    first = await grant(desk)
    again = await grant(desk)

    assert first == again
    assert first.view_until == desk.clock.now() + timedelta(hours=24)
    assert {one.person_id for one in desk.rows(EmergencyGrant)} == {"drafter", "operator"}
    [copy] = desk.rows(EmergencyCopy)
    sealed = Sealed.from_json(copy.sealed)
    assert desk.objects("copies") == [sealed.key]
    assert len(open_sealed(desk.store, sealed.location, desk.loan_keys.unwrapper(copy.id)).read()) == sealed.plain_size
    assert sealed.coverage.asked == ASKED
    with pytest.raises(NotARecipient):
        open_sealed(desk.store, sealed.location, desk.vault_keys.unwrapper())
    with pytest.raises(NotPermitted, match="another process instance"):
        await grant(desk, instance=6)
    with pytest.raises(NotPermitted, match="can be approved until"):
        await end(desk)

    case.approve()
    assert (await end(desk)).ratified
    assert (await end(desk)).ratified
    assert desk.objects("copies") == []
    with pytest.raises(KeyGone):
        desk.loan_keys.unwrapper(copy.id)
    assert desk.rows(EmergencyCopy)[0].key_destroyed_at is not None
    assert len(desk.objects("quarantine")) == 1


@pytest.mark.requirement("R2", "R41")
async def test_the_job_of_a_case_on_another_partition_does_not_keep_the_urgent_one_waiting(desk: Desk) -> None:
    case = desk.case("gate")
    called(desk, case)
    begun_by_the_case(desk, case)

    assert await preserve(desk, case) == preserve_footage.Result(1, 0)
    await grant(desk)

    assert {one.person_id for one in desk.rows(EmergencyGrant)} == {"drafter", "operator"}
    [of_case] = [row for row in desk.rows(UploadAttempt) if row.job_key == (3 << 51) + 1]
    assert of_case.abandoned_at is None, "it still works, and may be the one that succeeds"


@pytest.mark.requirement("R2", refuses=True)
async def test_a_view_waits_without_an_incident_while_its_footage_is_being_preserved(desk: Desk) -> None:
    case = desk.case("gate")
    called(desk, case)
    begun_by_the_case(desk, case)

    with pytest.raises(NotYet, match="is being preserved"):
        await grant(desk)

    assert desk.rows(EmergencyGrant) == []


@pytest.mark.requirement("R6", refuses=True)
async def test_what_is_damaged_is_not_shown_and_is_told_to_security(desk: Desk) -> None:
    case = desk.case("gate")
    called(desk, case)
    await preserve(desk, case)
    [key] = desk.objects("quarantine")
    desk.damage("quarantine", key)

    assert (await grant(desk)).view_until > desk.clock.now()

    assert (desk.rows(EmergencyCopy), desk.objects("copies"), list((desk.root / "loans").glob("*.key"))) == ([], [], [])
    [event] = [one for one in desk.rows(AuditEvent) if one.action == "object-damaged"]
    assert event.subject_id == key
    assert [one.person_id for one in desk.rows(Notice) if one.code == "footage-damaged"] == ["security"]


def held(desk: Desk, case: Case) -> tuple[bool, bool]:
    """Whether the vault has the item, as lists say, and as its own page does."""
    safe = desk.do(lambda uow: uow.session.scalar(select(Item.id).where(footage.is_safe()))) is not None
    return safe, desk.do(preservations.list_needs, case.id) == (1, [])


@pytest.mark.requirement("R31", refuses=True)
async def test_what_is_damaged_counts_as_preserved_no_more_and_is_fetched_again(desk: Desk) -> None:
    case = desk.case("gate")
    called(desk, case)
    await preserve(desk, case)
    assert held(desk, case) == (True, True)
    [key] = desk.objects("quarantine")
    desk.damage("quarantine", key)

    await grant(desk)
    await grant(desk)

    assert held(desk, case) == (False, False)
    [failed] = desk.rows(FailedPreservation)
    assert (failed.code, failed.failures) == ("ObjectDamaged", 1)
    assert [one.person_id for one in desk.rows(Notice) if one.code == "preservation-failed"] == ["operator"]
    desk.clock.turn(timedelta(minutes=1))
    [item_id] = desk.do(preservations.claim_due, (), 9)
    given = {name: desk.worker[name] for name in ("database", "store", "vault_keys", "recorders", "places")}
    assert await preserve_footage.retry(item_id, **given) is True

    assert held(desk, case) == (True, True)
    assert desk.rows(FailedPreservation) == []
    assert len(desk.objects("quarantine")) == 2, "what is damaged stays to be examined until the case ends"
    left = desk.do(preservations.release, case.id, "withdrawn")
    assert {row.sealed["key"] for row in left} == set(desk.objects("quarantine"))


@pytest.mark.requirement("R31", refuses=True)
async def test_what_is_damaged_is_told_to_the_storage_office_where_the_recorder_has_it_no_more(desk: Desk) -> None:
    case = desk.case("gate")
    called(desk, case)
    await preserve(desk, case)
    [key] = desk.objects("quarantine")
    desk.remove_as_root("quarantine", key)
    desk.recordings.rename(desk.root / "away")

    await grant(desk)

    assert held(desk, case) == (False, False)
    desk.clock.turn(timedelta(minutes=1))
    given = {name: desk.worker[name] for name in ("database", "store", "vault_keys", "recorders", "places")}
    assert await preserve_footage.retry(case.item(), **given) is False
    assert [one.person_id for one in desk.rows(Notice) if one.code == "preservation-failed"] == ["operator"]


@pytest.mark.requirement("R2", refuses=True)
async def test_nothing_is_preserved_or_shown_before_the_release(desk: Desk) -> None:
    case = desk.case("gate")
    called(desk, case, released=False)

    for job in (preserve(desk, case), grant(desk), end(desk)):
        with pytest.raises(NotPermitted, match="nobody has released it"):
            await job

    assert desk.everything() == []


@pytest.mark.requirement("R2", refuses=True)
async def test_an_application_that_is_decided_meanwhile_gets_no_view(desk: Desk) -> None:
    case = desk.case("gate")
    called(desk, case)
    case.approve()

    assert (await preserve(desk, case)).items_preserved == 0
    await grant(desk)

    assert desk.rows(EmergencyGrant) == desk.rows(EmergencyCopy) == []
    assert desk.objects("copies") == []
    assert (await end(desk)).ratified


@pytest.mark.requirement("R2", refuses=True)
async def test_a_copy_that_is_made_while_the_view_ends_is_not_kept(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    case = desk.case("gate")
    called(desk, case)
    await preserve(desk, case)
    issue = grant_emergency_view.issue

    async def late(*given: Any, **named: Any) -> Sealed:
        desk.clock.turn(timedelta(hours=24))  # the end of the view, which had nothing to destroy yet
        return await issue(*given, **named)

    with monkeypatch.context() as patched:
        patched.setattr(grant_emergency_view, "issue", late)
        await grant(desk)

    assert desk.rows(EmergencyCopy) == desk.rows(EmergencyGrant) == []
    assert desk.objects("copies") == []
    assert list((desk.root / "loans").glob("*.key")) == []


@pytest.mark.requirement("R2", refuses=True)
async def test_what_nobody_has_signed_is_not_shown(desk: Desk) -> None:
    case = desk.case("gate")
    called(desk, case, signed=False)
    assert (await preserve(desk, case)).items_preserved == 1

    await grant(desk)

    assert desk.rows(EmergencyCopy) == []
    assert desk.objects("copies") == []


@pytest.mark.requirement("R2", "R41")
async def test_jobs_that_are_killed_half_way_leave_one_copy_and_in_the_end_none(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = desk.case("gate")
    called(desk, case)
    await preserve(desk, case)

    def dies(*_: object) -> None:
        raise RuntimeError("killed")

    with monkeypatch.context() as patched:
        patched.setattr(emergency, "create", dies)
        with pytest.raises(RuntimeError):
            await grant(desk)
    assert desk.rows(EmergencyGrant) == []
    assert len(desk.objects("copies")) == 1
    await grant(desk)
    [copy] = desk.rows(EmergencyCopy)
    assert desk.objects("copies") == [copy.sealed["key"]]

    desk.clock.turn(timedelta(hours=24))
    with monkeypatch.context() as patched:
        patched.setattr(emergency, "mark_gone", dies)
        with pytest.raises(RuntimeError):
            await end(desk)
    assert all(one.ended_at is not None for one in desk.rows(EmergencyGrant))
    assert not (await end(desk)).ratified
    assert desk.objects("copies") == []
    assert desk.rows(EmergencyCopy)[0].discarded_at is not None
