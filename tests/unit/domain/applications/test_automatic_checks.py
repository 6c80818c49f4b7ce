"""What the two automatic reviews find: a code for programs, a sentence in Chinese and in English for people."""

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from review_desk import FORM, NOON, ReviewDesk
from sqlalchemy import select

from services.database.tables.agreements import Agreement
from services.database.tables.applications import Item
from services.database.tables.cameras import Camera, Recorder
from services.database.tables.masters import Master
from services.database.tables.people import Person
from services.database.tables.reviews import Finding
from services.database.tables.upload_attempts import UploadAttempt
from services.database.unit_of_work import UnitOfWork
from services.domain.applications import completeness, security_check
from services.domain.applications import service as application_service
from services.domain.applications.forms import ItemAsked
from services.runtime.rules import Rules

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ReviewDesk]:
    desk = ReviewDesk(f"sqlite:///{tmp_path_factory.mktemp('checks') / 'database.sqlite3'}")
    yield desk
    desk.close()


def item(start: timedelta, end: timedelta, camera: str = "camera") -> ItemAsked:
    """A span by how long before noon it starts and ends."""
    return ItemAsked(camera, NOON - start, NOON - end, "Asia/Shanghai")


def found(desk: ReviewDesk, application_id: str) -> dict[str, Finding]:
    return {finding.code: finding for finding in desk.all(Finding, application_id=application_id)}


@pytest.mark.requirement("R18", "R19", "R20", "R21", "R22")
def test_a_complete_and_reasonable_form_passes(desk: ReviewDesk) -> None:
    application_id = desk.submitted()

    assert desk.run(completeness.review, application_id) is True
    assert found(desk, application_id) == {}


@pytest.mark.requirement("R4", "R19", "R20", "R21", "R22", "R46", "R50", refuses=True)
@pytest.mark.requirement("R3", "R18")
@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"reason": "看看"}, "reason-too-short"),
        ({"reason": "。。。。。。 …… ！！！！！！"}, "reason-too-short"),
        ({"purpose": ""}, "purpose-too-short"),
        ({"purpose": FORM.reason + " "}, "reason-is-purpose"),
        ({"place_of_use": " "}, "place-of-use-missing"),
        ({"purpose_category": "curiosity"}, "category-unknown"),
        ({"legal_basis": ""}, "legal-basis-unknown"),
        ({"legal_basis": "authority-request"}, "authority-reference-missing"),
        ({"custodian_id": None}, "custodian-missing"),
        ({"custodian_id": "inspector"}, "custodian-elsewhere"),
        ({"requested_use_days": 31}, "use-period-too-long"),
        ({"items": (item(HOUR, -HOUR),)}, "span-in-future"),
        ({"items": (item(26 * HOUR, HOUR),)}, "span-too-long"),
        ({"items": (item(3 * HOUR, HOUR), item(2 * HOUR, timedelta()))}, "items-overlap"),
    ],
)
def test_what_is_missing_or_unreasonable_goes_back_with_a_sentence(
    desk: ReviewDesk, changes: dict[str, Any], code: str
) -> None:
    application_id = desk.submitted(**changes)

    assert desk.run(completeness.review, application_id) is False

    finding = found(desk, application_id)[code]
    assert finding.severity == "blocks"
    assert re.search(r"[\u4e00-\u9fff].*。$", finding.zh)
    assert finding.en.endswith(".")


@pytest.fixture
def patient(any_database_url: str) -> Iterator[ReviewDesk]:
    """Where one item may have a month."""
    desk = ReviewDesk(any_database_url, rules=Rules(max_use_days=30, max_span=31 * DAY))
    yield desk
    desk.close()


def seal(desk: ReviewDesk, application_id: str, *, megabits: float, hours: float, share: float = 1.0) -> None:
    """Give the case's first item a master of a span with that rate in the part that is there."""

    def act(uow: UnitOfWork) -> None:
        row = uow.session.scalars(select(Item).where(Item.application_id == application_id)).first()
        assert row is not None
        attempt = UploadAttempt(
            id=row.id, purpose="master", application_id=application_id, item_id=row.id, subject_id=row.id, job_key=1
        )
        attempt.bucket, attempt.key, attempt.started_at = "masters", row.id, NOON
        uow.session.add(attempt)
        uow.session.flush()
        size = int(megabits * 1_000_000 / 8 * hours * 3600 * share)
        asked = [(NOON - timedelta(hours=hours)).isoformat(), NOON.isoformat()]
        uow.session.add(
            Master(
                application_id=application_id,
                item_id=row.id,
                attempt_id=row.id,
                origin="recorder",
                retrieved_at=NOON,
                sealed={"size": size, "coverage": {"asked": asked, "share": share}},
            )
        )

    desk.run(act)


@pytest.mark.requirement("R20", refuses=True)
def test_an_item_that_no_store_could_take_is_refused_with_what_to_do(patient: ReviewDesk) -> None:
    """At 4 Mbit/s the 625 GiB that a store takes of one item are 372 hours; of 32 Mbit/s they are 46."""
    quiet = patient.submitted(items=(item(15 * DAY, timedelta()),))
    assert patient.run(completeness.review, quiet) is False
    assert "at 8.0 Mbit/s it has" in found(patient, quiet)["span-not-storable"].en  # nothing is known of the camera

    before = patient.submitted()
    seal(patient, before, megabits=4, hours=500, share=0.5)
    slow = patient.submitted(items=(item(15 * DAY, timedelta()),))
    assert patient.run(completeness.review, slow) is True
    assert "span-not-storable" not in found(patient, slow)

    seal(patient, patient.submitted(), megabits=32, hours=1)
    fast = patient.submitted(items=(item(2 * DAY, timedelta()),))
    assert patient.run(completeness.review, fast) is False
    finding = found(patient, fast)["span-not-storable"]
    assert finding.severity == "blocks"
    assert finding.en == (
        "Item 1 is too long to be stored: at 32.0 Mbit/s it has 644 GiB, and a store takes 625 GiB of one item. "
        "Ask for several spans of at most 46 hours each."
    )
    several = patient.submitted(items=(item(2 * DAY, DAY), item(DAY, timedelta())))
    assert patient.run(completeness.review, several) is True


@pytest.mark.requirement("R20")
@pytest.mark.parametrize(
    ("span", "code"),
    [(item(40 * DAY, 40 * DAY - HOUR), "span-overwritten"), (item(28 * DAY, 28 * DAY - HOUR), "span-at-risk")],
)
def test_footage_that_may_be_gone_is_said_and_tried_all_the_same(desk: ReviewDesk, span: ItemAsked, code: str) -> None:
    application_id = desk.submitted(items=(span,))

    assert desk.run(completeness.review, application_id) is True
    finding = found(desk, application_id)[code]
    assert finding.item_id is not None
    assert finding.severity != "blocks"


@pytest.mark.requirement("R22")
def test_a_second_run_leaves_one_set_of_findings(any_database_url: str) -> None:
    desk = ReviewDesk(any_database_url)
    application_id = desk.submitted(custodian_id=None, place_of_use="")

    answers = [desk.run(completeness.review, application_id) for _ in range(2)]
    checked = [desk.run(security_check.review, application_id) for _ in range(2)]

    assert answers == [False, False]
    assert checked[0] == checked[1]
    of_check = [(row.check, row.code) for row in desk.all(Finding, application_id=application_id)]
    assert len(of_check) == len(set(of_check)) == 2 + checked[0].findings
    desk.close()


@pytest.mark.requirement("R24")
@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"subject_ids": ("drafter",)}, "drafter-is-subject"),
        ({"subject_ids": ("keeper",)}, "custodian-is-subject"),
        ({"subject_ids": ("inspector",)}, "security-involved"),
        ({"subject_ids": ("manager",)}, "management-involved"),
        ({"legal_basis": "consent"}, "consent-to-verify"),
        ({"way_of_use": "download"}, "download-asked"),
        ({"items": (item(8 * HOUR, HOUR),)}, "span-wide"),
    ],
)
def test_security_is_told_what_to_look_at(desk: ReviewDesk, changes: dict[str, Any], code: str) -> None:
    application_id = desk.submitted(**changes)

    checked = desk.run(security_check.review, application_id)

    codes = found(desk, application_id)
    assert code in codes
    assert codes[code].zh
    assert codes[code].en
    assert checked.findings == len(codes)


@pytest.mark.requirement("R24", "R26")
@pytest.mark.parametrize(
    ("drafter", "subjects", "security", "management"),
    [
        ("drafter", (), False, False),
        ("reviewer", (), True, False),
        ("drafter", ("security-head",), True, False),
        ("manager", (), False, True),
        ("drafter", ("inspector", "board-head"), True, True),
    ],
)
def test_whose_own_matter_it_is(
    desk: ReviewDesk, drafter: str, subjects: tuple[str, ...], security: bool, management: bool
) -> None:
    application_id = desk.submitted(by=drafter, subject_ids=subjects)

    checked = desk.run(security_check.review, application_id)

    assert (checked.security_involved, checked.management_involved) == (security, management)


@pytest.mark.requirement("R5", "R7", "R24")
def test_one_sensitive_camera_makes_the_case_sensitive(any_database_url: str) -> None:
    desk = ReviewDesk(any_database_url)

    def add(uow: Any) -> None:
        uow.session.add(
            Camera(
                id="till",
                recorder_id="recorder",
                channel="till",
                name_zh="财务室",
                name_en="till",
                place_zh="二层",
                place_en="first floor",
                retention_days=30,
                camera_class="sensitive",
            )
        )

    desk.run(add)
    ordinary = desk.submitted()
    sensitive = desk.submitted(items=(item(2 * HOUR, HOUR), item(2 * HOUR, HOUR, "till")))

    assert desk.run(security_check.review, ordinary).camera_class == "ordinary"
    assert desk.run(security_check.review, sensitive).camera_class == "sensitive"
    assert found(desk, sensitive)["camera-sensitive"].item_id is not None
    desk.close()


@pytest.mark.requirement("R24", "R59")
@pytest.mark.parametrize(
    ("expires", "code"), [(timedelta(0), "custodian-agreement-missing"), (10 * DAY, "custodian-agreement-ends")]
)
def test_the_custodians_agreement_has_to_last_as_long_as_the_use(
    any_database_url: str, expires: timedelta, code: str
) -> None:
    desk = ReviewDesk(any_database_url)

    def end(uow: Any) -> None:
        agreement = uow.session.query(Agreement).filter_by(person_id="keeper").one()
        agreement.expires_at = NOON + expires

    desk.run(end)
    application_id = desk.submitted()
    desk.run(security_check.review, application_id)

    assert code in found(desk, application_id)
    desk.close()


@pytest.mark.requirement("R46", refuses=True)
def test_a_custodian_who_has_left_is_no_custodian(any_database_url: str) -> None:
    desk = ReviewDesk(any_database_url)
    application_id = desk.submitted()
    desk.run(lambda uow: setattr(uow.session.get_one(Person, "keeper"), "active", False))

    assert desk.run(completeness.review, application_id) is False
    assert "custodian-elsewhere" in found(desk, application_id)
    desk.close()


@pytest.mark.requirement("R22", "R46")
@pytest.mark.parametrize(("custodian", "complete"), [("head", False), ("deputy", True), ("drafter", True)])
def test_whoever_has_decided_before_cannot_become_the_custodian(
    any_database_url: str, custodian: str, complete: bool
) -> None:
    desk = ReviewDesk(any_database_url)
    application_id = desk.submitted()
    desk.decide(desk.opened(application_id, "preliminary"), "head", "returned")
    corrected = replace(FORM, custodian_id=custodian)
    desk.run(application_service.correct, application_id, corrected, by="drafter")

    assert desk.run(completeness.review, application_id) is complete
    assert ("custodian-has-decided" in found(desk, application_id)) is not complete
    desk.close()


@pytest.mark.requirement("R24", "R34")
@pytest.mark.parametrize(("offset_ms", "told"), [(None, False), (600_000, False), (-3_600_000, True)])
def test_security_is_asked_which_time_is_meant_where_a_clock_is_too_far_off(
    any_database_url: str, offset_ms: int | None, told: bool
) -> None:
    desk = ReviewDesk(any_database_url)
    desk.run(lambda uow: setattr(uow.session.get_one(Recorder, "recorder"), "clock_offset_ms", offset_ms))
    application_id = desk.submitted()

    desk.run(security_check.review, application_id)

    found_now = found(desk, application_id)
    assert ("recorder-clock-too-far" in found_now) is told
    if told:
        assert "-3600" in found_now["recorder-clock-too-far"].en
    desk.close()
