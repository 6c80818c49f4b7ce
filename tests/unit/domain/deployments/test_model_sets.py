"""Changed models are uploaded by an administrator, checked, and deployed when a second person has confirmed it."""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from review_desk import ReviewDesk
from second_person import asked, newest
from sqlalchemy import delete

from services.database.tables.audit import AuditEvent
from services.database.tables.change_requests import ChangeRequest
from services.database.tables.deployments import ModelSet
from services.database.tables.people import Post
from services.database.unit_of_work import Actor, UnitOfWork
from services.domain.accounts import requested_acts, second_person
from services.domain.accounts.signatures.given import Proof
from services.domain.audit import trail as audit_trail
from services.domain.change_requests import queries as request_queries
from services.domain.change_requests import service as change_requests
from services.domain.deployments import queries, record, service
from services.domain.stages import file as stage_file
from services.runtime.errors import NotFound, Refused
from services.runtime.places import BPMN

ADMIN = Actor("person", "admin")
WHY = "因业务需要增加翻译审核"
UNCHECKED = "规则按新制度修订中"
EDITED = {"review.bpmn": (BPMN / "review.bpmn").read_bytes() + b"<!-- edited -->"}
CLEAN = {"verdict": "clean", "rules": 36, "rules_sha256": "ab", "states": 1735, "changes": []}


def refused(act: Callable[[], object]) -> str:
    with pytest.raises(Refused) as refusal:
        act()
    assert refusal.value.zh != refusal.value.en
    return refusal.value.code


def uploaded(desk: ReviewDesk, verdict: str | None = "clean", **files: bytes) -> str:
    set_id: str = desk.run(service.upload, files or EDITED, by="admin").id
    if verdict is not None:
        desk.run(service.keep_result, set_id, {**CLEAN, "verdict": verdict})
    return set_id


def deployed_otherwise(desk: ReviewDesk) -> None:
    desk.run(lambda uow: audit_trail.record(uow, record.DEPLOYED, "models", "other", result="clean", versions={}))


def ask(desk: ReviewDesk, set_id: str, unchecked: str | None = None, by: str = "admin") -> Any:
    return desk.run(service.ask, set_id, WHY, unchecked, by=by)


@pytest.mark.requirement("R2", refuses=True)
async def test_a_set_is_approved_when_a_second_person_has_signed(desk: ReviewDesk) -> None:
    set_id = uploaded(desk)
    request = asked(desk, service.ask, set_id, WHY, None)
    [shown] = desk.run(request_queries.list_open, by="security-head").requests
    digest = record.fingerprint(record.decisive(desk.the(ModelSet).files))[:12]
    assert shown.what_en == f"Deploy the process models {digest} ({WHY}); policy check: no rule broken"
    assert (shown.page, shown.only_confirmed, shown.may_confirm) == (f"/admin/models/{set_id}", True, True)
    view = desk.run(queries.read_set, set_id, by="security-head")
    assert (view.state, view.reason, view.requested_by is not None, view.may_ask) == ("requested", WHY, True, False)
    changed = [(line.name, line.change) for line in view.files if line.change]
    assert changed == [("review.bpmn", "changed")]

    # Not by whoever asked, not without a signature, and no time takes the second person's place.
    assert refused(lambda: desk.run(change_requests.confirm, request, by="admin")) == "not-second-person"
    assert refused(lambda: desk.run(second_person.confirm, request, Proof(password="wrong"), by="security-head"))
    desk.clock.turn(timedelta(days=2))
    assert refused(lambda: ask(desk, set_id)) == "second-person-awaited"
    assert desk.run(service.list_approved) == []

    desk.run(change_requests.confirm, request, by="security-head")
    await requested_acts.carry_out(desk.database, ADMIN, request)

    row = desk.the(ModelSet)
    assert (row.approved_by, row.confirmed_by, row.reason, row.unchecked) == ("admin", "security-head", WHY, None)
    assert desk.run(service.list_approved) == [set_id]
    assert refused(lambda: ask(desk, set_id)) == "models-approved"


@pytest.mark.requirement("R2", refuses=True)
@pytest.mark.parametrize(
    ("verdict", "unchecked", "code"),
    [
        (None, None, "models-unchecked"),
        ("broken", None, "models-not-clean"),
        ("undecided", None, "models-not-clean"),
        ("lint", "因为", "models-not-clean"),
        ("unreadable", UNCHECKED, "models-unusable"),
        ("failed", UNCHECKED, "models-unusable"),
    ],
)
def test_what_is_not_clean_is_not_even_asked_for(
    desk: ReviewDesk, verdict: str | None, unchecked: str | None, code: str
) -> None:
    set_id = uploaded(desk, verdict)
    assert refused(lambda: ask(desk, set_id, unchecked)) == code
    assert desk.all(ChangeRequest) == []


@pytest.mark.requirement("R2", refuses=True)
def test_why_it_is_deployed_all_the_same_is_read_and_signed_by_the_second_person(desk: ReviewDesk) -> None:
    set_id = uploaded(desk, "broken")
    asked(desk, service.ask, set_id, WHY, UNCHECKED)
    [shown] = desk.run(request_queries.list_open, by="supervisor").requests
    assert "policy check: rules broken; deployed all the same because: " + UNCHECKED in shown.what_en
    assert desk.the(ChangeRequest).payload["unchecked"] == UNCHECKED
    # With other words it would be another deployment than the one that is confirmed.
    desk.run(change_requests.confirm, newest(desk), by="security-head")
    assert refused(lambda: ask(desk, set_id, "另一个完全不同的理由")) == "asked-otherwise"
    assert ask(desk, set_id, UNCHECKED).unchecked == UNCHECKED


@pytest.mark.requirement("R2", refuses=True)
def test_an_objection_says_why_and_the_set_may_be_asked_for_again(desk: ReviewDesk) -> None:
    set_id = uploaded(desk)
    request = asked(desk, service.ask, set_id, WHY, None)
    assert refused(lambda: desk.run(change_requests.object_to, request, " ", by="supervisor")) == "objection-reason"

    desk.run(change_requests.object_to, request, "会绕过安全审核", by="supervisor")

    view = desk.run(queries.read_set, set_id, by="admin")
    assert (view.state, view.objection_reason, view.may_ask) == ("objected", "会绕过安全审核", True)
    assert json.loads(desk.the(AuditEvent, action="change-objected").entry)["detail"]["reason"] == "会绕过安全审核"
    assert refused(lambda: desk.run(change_requests.begin, request, by="admin")) == "request-over"


@pytest.mark.requirement("R2", refuses=True)
async def test_models_that_changed_meanwhile_make_the_request_void(desk: ReviewDesk) -> None:
    set_id = uploaded(desk)
    request = asked(desk, service.ask, set_id, WHY, None)
    desk.run(change_requests.confirm, request, by="security-head")
    deployed_otherwise(desk)

    with pytest.raises(Refused):
        await requested_acts.carry_out(desk.database, ADMIN, request)

    assert desk.the(ChangeRequest).outcome == "withdrawn"
    assert desk.run(service.list_approved) == []
    view = desk.run(queries.read_set, set_id, by="admin")
    assert (view.outdated, view.may_ask) == (True, False)


@pytest.mark.requirement("R2", refuses=True)
async def test_rights_that_ended_meanwhile_count(desk: ReviewDesk) -> None:
    set_id = uploaded(desk)
    request = asked(desk, service.ask, set_id, WHY, None)
    desk.run(change_requests.confirm, request, by="security-head")

    def end_post(uow: UnitOfWork) -> None:
        uow.session.execute(delete(Post).where(Post.person_id == "security-head"))

    desk.run(end_post)
    with pytest.raises(Refused) as refusal:
        await requested_acts.carry_out(desk.database, ADMIN, request)
    assert refusal.value.code == "confirmer-left"
    assert (desk.the(ChangeRequest).outcome, desk.run(service.list_approved)) == ("withdrawn", [])


def test_an_upload_is_refused_that_changes_nothing_or_what_cannot_change_here(desk: ReviewDesk) -> None:
    def upload(files: dict[str, bytes]) -> str:
        return refused(lambda: desk.run(service.upload, files, by="admin"))

    stages = (BPMN / stage_file.NAME).read_bytes()
    assert upload({"review.bpmn": (BPMN / "review.bpmn").read_bytes(), stage_file.NAME: stages}) == "models-same"
    assert upload({stage_file.NAME: stages + b"\n"}) == "models-stages"
    deployed_otherwise(desk)
    assert upload(EDITED) == "models-elsewhere"
    assert desk.all(ModelSet) == []


@pytest.mark.requirement("R2", refuses=True)
def test_only_administrators_upload_and_ask_and_only_overseers_read(desk: ReviewDesk) -> None:
    set_id = uploaded(desk)
    for person in ("drafter", "security-head", "supervisor"):
        assert refused(lambda by=person: desk.run(service.upload, EDITED, by=by)) == "administrators-only"
        assert refused(lambda by=person: ask(desk, set_id, by=by)) == "administrators-only"
    for read in (queries.read_set, queries.read_content):
        assert refused(lambda read=read: desk.run(read, set_id, by="drafter")) == "readers-only"
        with pytest.raises(NotFound):
            desk.run(read, "none", by="admin")


def test_a_check_that_ends_with_its_process_is_tried_again_and_then_given_up(desk: ReviewDesk) -> None:
    set_id = uploaded(desk, None)
    for _ in range(service.MOST_TRIES):
        claimed = desk.run(service.claim_unchecked)
        assert claimed is not None
        assert claimed[0] == set_id
        assert desk.run(service.claim_unchecked) is None, "another portal does not begin it too"
        desk.clock.turn(service.TRY_FOR + timedelta(minutes=1))
    assert desk.run(service.claim_unchecked) is None
    assert desk.run(queries.read_set, set_id, by="admin").verdict == "failed"
    desk.run(service.keep_result, set_id, CLEAN)
    assert desk.run(queries.read_set, set_id, by="admin").verdict == "failed", "a late result changes nothing"
