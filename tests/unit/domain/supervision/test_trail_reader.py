"""The audit trail in the portal: what is found, what stays hidden, and that each look is one event."""

import base64
from collections.abc import Iterator
from datetime import timedelta

import pytest
from lent_case import lend
from prepared_desk import prepared_desk
from review_desk import FORM, NOON, ReviewDesk

from services.database.tables.applications import Application
from services.database.tables.audit import AuditCheckpoint, AuditEvent
from services.database.tables.matters import Matter
from services.database.tables.violations import Hearing
from services.database.unit_of_work import UnitOfWork
from services.domain.applications import service as application_service
from services.domain.audit import trail as audit_trail
from services.domain.audit import tree
from services.domain.supervision import trail_reader
from services.domain.supervision.audit_schemas import TrailLine
from services.domain.supervision.trail_reader import TrailSearch
from services.runtime.errors import NotFound, Refused
from services.verifier.merkle import verify_inclusion

REPORTER, ACCUSED = "reviewer", "supervisor"


@pytest.fixture
def desk(any_database_url: str) -> Iterator[ReviewDesk]:
    desk, _ = prepared_desk(any_database_url, lend)
    yield desk
    desk.close()


def _read(desk: ReviewDesk, by: str = "supervisor", limit: int = 200, **wanted: object) -> list[TrailLine]:
    search = TrailSearch(**wanted)  # type: ignore[arg-type]  # fields of it
    return desk.run(trail_reader.read_page, search, limit=limit, by=by).lines


def _accuse(uow: UnitOfWork, case: str) -> int:
    """Security's reviewer records a violation of the supervisor; the event's number follows with the commit."""
    matter = Matter(number="WG-2031-000001", kind="violation", application_id=case, opened_by=REPORTER)
    matter.opened_at, matter.facts, matter.facts_sha256 = uow.now, {}, "0" * 64
    uow.session.add(matter)
    uow.session.flush()
    uow.session.add(Hearing(matter_id=matter.id, person_id=ACCUSED, part="accused"))
    audit_trail.record(uow, "matter-opened", "matter", matter.id, application_id=case, kind="violation", secret="who")
    return tree.size(uow) + 1


@pytest.mark.requirement("R62")
def test_the_trail_is_found_by_person_action_case_and_day_page_by_page(desk: ReviewDesk) -> None:
    everything = _read(desk)
    assert [line.seq for line in everything] == sorted((line.seq for line in everything), reverse=True)
    assert not any(line.action.endswith("-read") for line in everything)
    case = next(line.number for line in everything if line.number)

    assert {line.actor for line in _read(desk, person="keeper")} == {"keeper"}
    assert {line.action for line in _read(desk, action="review-decided")} == {"review-decided"}
    assert {line.number for line in _read(desk, number=str(case).lower())} == {case}
    assert _read(desk, since=NOON + timedelta(days=1)) == []
    assert len(_read(desk, until=NOON + timedelta(days=1))) == len(everything)
    assert _read(desk, person="nobody of this name") == []

    first = desk.run(trail_reader.read_page, TrailSearch(), limit=5, by="security-head")
    second = desk.run(trail_reader.read_page, TrailSearch(), limit=5, place=first.next, by="security-head")
    assert [line.seq for line in (*first.lines, *second.lines)] == [line.seq for line in everything[:10]]


@pytest.mark.requirement("R62")
def test_each_look_is_one_event_that_does_not_hide_the_others(desk: ReviewDesk) -> None:
    newest = _read(desk)[0].seq
    for _ in range(3):
        assert _read(desk)[0].seq == newest
    looks = [line for line in _read(desk, looks=True) if line.action == "audit-trail-read"]
    assert len(looks) == 4
    assert {line.actor for line in looks} == {"supervisor"}

    desk.run(trail_reader.read_event, newest, by="supervisor")
    for number in (0, 1 << 63, 10**40):
        with pytest.raises(NotFound):
            desk.run(trail_reader.read_event, number, by="supervisor")
    assert [event.subject_id for event in desk.all(AuditEvent, action="audit-event-read")] == [str(newest)]


@pytest.mark.requirement("R61", "R62", refuses=True)
def test_the_trail_is_refused_to_those_who_do_not_supervise(desk: ReviewDesk) -> None:
    before = len(desk.all(AuditEvent))
    for by in ("drafter", "head", "reviewer", "operator", "manager", "board-head", "admin"):
        with pytest.raises(Refused, match="Only supervisors"):
            _read(desk, by=by)
        with pytest.raises(Refused, match="Only supervisors"):
            desk.run(trail_reader.read_event, 1, by=by)
    assert len(desk.all(AuditEvent)) == before


@pytest.mark.requirement("R62", "R65", verb="recorded")
def test_who_is_accused_does_not_learn_from_the_trail_who_reported_it(desk: ReviewDesk) -> None:
    case = next(line.application_id for line in _read(desk) if line.number)
    desk.clock.turn(timedelta(minutes=1))
    seq = desk.run(_accuse, str(case), by=REPORTER)

    [shown] = [line for line in _read(desk) if line.seq == seq]
    assert (shown.actor, shown.hidden, shown.subject_id, shown.detail) == (None, True, None, {})
    assert seq not in {line.seq for line in _read(desk, person=REPORTER)}
    event = desk.run(trail_reader.read_event, seq, by=ACCUSED)
    assert (event.actor, event.detail) == (None, {})
    assert "who" not in event.model_dump_json()

    [named] = [line for line in _read(desk, by="security-head") if line.seq == seq]
    assert (named.actor, named.hidden) == (REPORTER, False)
    assert seq in {line.seq for line in _read(desk, by="security-head", person=REPORTER)}


@pytest.mark.requirement("R62", "R65")
def test_what_the_reporter_does_later_about_the_violation_names_nobody_either(desk: ReviewDesk) -> None:
    case = next(event.application_id for event in desk.all(AuditEvent) if event.application_id)
    desk.run(_accuse, str(case), by=REPORTER)
    matter = desk.the(Matter, kind="violation")
    desk.clock.turn(timedelta(hours=1))

    def later(uow: UnitOfWork) -> None:
        audit_trail.record(uow, "attachment-added", "attachment", "one", application_id=str(case), matter=matter.id)
        audit_trail.record(uow, "matter-withdrawn", "matter", matter.id, application_id=str(case))

    desk.run(later, by=REPORTER)
    for by, named in ((ACCUSED, 0), ("security-head", 2)):
        lines = [line for line in _read(desk, by=by) if line.action in ("attachment-added", "matter-withdrawn")][:2]
        assert len([line for line in lines if line.actor == REPORTER and not line.hidden]) == named, by
        found = {line.action for line in _read(desk, by=by, person=REPORTER, since=desk.clock.now())}
        assert len(found & {"attachment-added", "matter-withdrawn"}) == named, by


@pytest.mark.requirement("R62", refuses=True)
def test_drafts_and_cases_that_concern_the_reader_are_not_in_the_trail(desk: ReviewDesk) -> None:
    form = {"subject_ids": (ACCUSED,)}
    hidden = desk.submitted(**form)
    draft = desk.run(lambda uow: application_service.create_draft(uow, FORM).id, by="drafter")
    seqs = {event.seq for event in desk.all(AuditEvent) if event.application_id in (hidden, draft)}
    assert seqs

    assert not seqs & {line.seq for line in _read(desk, looks=True)}
    with pytest.raises(NotFound):
        desk.run(trail_reader.read_event, min(seqs), by=ACCUSED)
    of_case = {event.seq for event in desk.all(AuditEvent, application_id=hidden)}
    assert of_case <= {line.seq for line in _read(desk, by="security-head")}
    assert not (seqs - of_case) & {line.seq for line in _read(desk, by="security-head")}


@pytest.mark.requirement("R62", refuses=True)
def test_what_others_search_the_trail_for_tells_nobody_of_a_case_that_concerns_them(desk: ReviewDesk) -> None:
    hidden = desk.submitted(subject_ids=(ACCUSED,))
    number = desk.the(Application, id=hidden).number
    for _ in range(2):
        _read(desk, by="security-head", number=str(number).lower())
    _read(desk, by="security-head", person="keeper")
    seq = max(event.seq for event in desk.all(AuditEvent, application_id=hidden))
    desk.run(trail_reader.read_event, seq, by="security-head")

    [ordinary] = [line for line in _read(desk, looks=True) if line.action == "audit-trail-read"]
    assert ordinary.detail["person"] == "keeper"
    assert not [line for line in _read(desk, looks=True) if line.action == "audit-event-read"]
    looks = [event.seq for event in desk.all(AuditEvent, action="audit-trail-read") if event.seq < ordinary.seq]
    for look in (*looks, *(event.seq for event in desk.all(AuditEvent, action="audit-event-read"))):
        with pytest.raises(NotFound):
            desk.run(trail_reader.read_event, look, by=ACCUSED)
        desk.run(trail_reader.read_event, look, by="security-deputy")
    # what they have searched for themselves they find, whether there is such a case or not
    for asked in (str(number), "SQ-2031-009999"):
        _read(desk, number=asked)
        assert asked in {line.detail.get("number") for line in _read(desk, looks=True)}


@pytest.mark.requirement("R62", "R52", verb="recorded")
def test_an_event_shows_its_place_and_the_proof_that_a_signed_head_has_it(desk: ReviewDesk) -> None:
    assert desk.run(trail_reader.read_event, 3, by="supervisor").place.size is None

    def sign(uow: UnitOfWork) -> None:
        size = tree.size(uow)
        root = base64.b64encode(tree.root(uow, size)).decode()
        uow.session.add(AuditCheckpoint(size=size, origin="o", root=root, note="n", signed_at=uow.now))

    desk.run(sign)
    place = desk.run(trail_reader.read_event, 3, by="supervisor").place
    assert place.size is not None
    assert place.root is not None
    leaf, hashes = bytes.fromhex(place.leaf_sha256), [bytes.fromhex(one) for one in place.proof]
    verify_inclusion(leaf, place.index, place.size, hashes, base64.b64decode(place.root))
    with pytest.raises(NotFound):
        desk.run(trail_reader.read_event, 10_000, by="supervisor")
