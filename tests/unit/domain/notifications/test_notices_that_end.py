"""A notice about work is done when the work is, whoever did it (R30)."""

import ast
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from portal_client import Portal
from review_desk import ReviewDesk

from services.database.tables.applications import Application
from services.database.tables.deliveries import Delivery
from services.database.tables.evidence_packages import EvidencePackage
from services.database.tables.holds import Hold
from services.database.tables.maintenance import ReconciliationFinding
from services.database.tables.matters import Matter
from services.database.tables.notices import Notice
from services.database.tables.people import Person
from services.database.tables.reviews import Review
from services.database.unit_of_work import UnitOfWork
from services.domain.accounts import own_account
from services.domain.applications import service as application_service
from services.domain.cameras import measurements
from services.domain.custody import closing
from services.domain.notifications import digest, dispatch, ended_work, queries, service, texts
from services.domain.notifications.channels import payloads
from services.domain.notifications.deliveries import MAIL
from services.domain.reviews import escalation, filing, tasks
from services.domain.reviews.classification import Classification
from services.runtime.rules import Rules

DOMAIN = Path(texts.__file__).parent.parent
ORDINARY = Classification("ordinary", False, False, False, 15)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[ReviewDesk]:
    desk = ReviewDesk(f"sqlite:///{tmp_path / 'database.sqlite3'}", Rules(max_use_days=30, notice_channels=(MAIL,)))
    yield desk
    desk.close()


def unread(desk: ReviewDesk, person_id: str) -> list[str]:
    return [line.code for line in desk.run(queries.list_own, unread_only=True, by=person_id)]


@pytest.mark.requirement("R30")
def test_a_review_that_one_has_decided_waits_for_none_of_the_others(desk: ReviewDesk) -> None:
    review_id = desk.opened(desk.submitted(), "security")
    asked = [notice.person_id for notice in desk.all(Notice) if notice.subject_id == review_id]
    assert len(asked) > 1
    assert all(unread(desk, person_id) == ["review-opened"] for person_id in asked)

    desk.decide(review_id, "reviewer", "approved")

    assert {
        notice.done_at
        for notice in desk.all(Notice)
        if notice.subject_id == review_id and notice.code == "review-opened"
    } == {desk.clock.now()}
    assert all("review-opened" not in unread(desk, person_id) for person_id in asked)
    assert all(desk.run(service.count_unread, by=person_id) == 0 for person_id in asked)
    assert "decided:security:approved" in unread(desk, "drafter")  # tells of no work, and waits to be read


@pytest.mark.requirement("R30")
def test_of_an_applications_decisions_the_newest_alone_is_news(desk: ReviewDesk) -> None:
    application_id, other = desk.submitted(), desk.submitted()
    desk.decide(desk.opened(other, "preliminary"), "head")
    desk.decide(desk.opened(application_id, "preliminary"), "head")
    desk.decide(desk.opened(application_id, "security"), "reviewer")

    assert sorted(unread(desk, "drafter")) == ["decided:preliminary:approved", "decided:security:approved"]
    [open_still] = [notice for notice in desk.all(Notice, code="decided:preliminary:approved") if not notice.done_at]
    assert open_still.application_id == other


@pytest.mark.requirement("R30")
def test_what_is_withdrawn_waits_for_nobody(desk: ReviewDesk) -> None:
    application_id = desk.submitted()
    review_id = desk.opened(application_id, "preliminary")
    [head] = {notice.person_id for notice in desk.all(Notice) if notice.subject_id == review_id}
    desk.run(tasks.close_open, application_id, "withdrawn")
    assert unread(desk, head) == []


def test_a_mail_about_what_is_done_is_not_sent(desk: ReviewDesk) -> None:
    review_id = desk.opened(desk.submitted(), "security")
    desk.run(lambda uow: setattr(uow.session.get_one(Person, "reviewer"), "email", "reviewer@footage.example"))
    desk.decide(review_id, "reviewer", "approved")

    while (parcel := desk.run(dispatch.claim_next, MAIL)) is not None:
        assert parcel.code != "review-opened"
    left = [row for row in desk.all(Delivery) if row.last_error == "done"]
    assert left
    assert {row.state for row in left} == {"unneeded"}
    assert {row.escalated_at for row in left} == {None}


@pytest.mark.requirement("R30")
async def test_the_list_says_the_stage_and_what_is_done_and_the_link_leads_to_the_decision(desk: ReviewDesk) -> None:
    review_id = desk.opened(desk.submitted(), "security")
    async with Portal(desk) as portal:
        reviewer = await portal.signed_in("reviewer")
        assert "安全审核：有一项审核待您办理。" in (await reviewer.get("/notices?unread=true")).text
        desk.decide(review_id, "reviewer", "approved")

        assert "待您办理" not in (await reviewer.get("/notices?unread=true")).text
        assert "已办结" in (await reviewer.get("/notices")).text
        [line] = [one for one in (await reviewer.get("/api/notices")).json() if one["code"] == "review-opened"]
        assert line["doneAt"] is not None
        assert line["readAt"] is None

        drafter = await portal.signed_in("drafter")
        [told] = [one for one in (await drafter.get("/api/notices")).json() if one["code"].startswith("decided:")]
        path, _, place = told["link"].partition("#")
        assert place == f"review-{review_id}"
        assert f'id="{place}"' in (await drafter.get(path)).text


def test_a_mail_says_the_stage_and_nothing_of_the_case(desk: ReviewDesk) -> None:
    desk.run(lambda uow: setattr(uow.session.get_one(Person, "reviewer"), "email", "reviewer@footage.example"))
    desk.opened(desk.submitted(), "security")
    parcel = desk.run(dispatch.claim_next, MAIL)
    assert parcel is not None
    mail = payloads.build_mail(parcel, sender="desk@footage.example", portal_url="https://footage.example")
    assert "安全审核：有一项审核待您办理。" in str(mail["Subject"])


@pytest.mark.requirement("R30")
def test_one_mail_a_day_lists_what_is_open_and_nothing_twice(desk: ReviewDesk) -> None:
    def choose(uow: UnitOfWork) -> None:
        uow.session.get_one(Person, "reviewer").email = "reviewer@footage.example"
        own_account.choose_digest(uow, daily=True)

    desk.run(choose, by="reviewer")
    done, waiting = (desk.opened(desk.submitted(), "security") for _ in range(2))
    desk.decide(done, "reviewer", "approved")
    mine = {notice.id for notice in desk.all(Notice, person_id="reviewer")}
    assert not [row for row in desk.all(Delivery, channel=MAIL) if row.notice_id in mine]  # none of its own

    assert desk.run(digest.write_digests) == 1
    assert desk.run(digest.write_digests) == 0
    parcels = list(iter(lambda: desk.run(dispatch.claim_next, MAIL), None))
    [parcel] = [one for one in parcels if one.code == texts.DIGEST]
    mail = payloads.build_mail(parcel, sender="desk@footage.example", portal_url="https://footage.example")
    text = mail.get_content()
    assert f"https://footage.example/reviews/{waiting}" in text
    assert done not in text
    assert desk.the(Application, id=desk.the(Review, id=waiting).application_id).number in text
    assert not [line for line in desk.run(queries.list_own, by="reviewer") if line.code == texts.DIGEST]
    desk.clock.turn(timedelta(days=1))
    assert desk.run(digest.write_digests) == 1
    desk.decide(waiting, "reviewer", "approved")
    desk.clock.turn(timedelta(days=1))
    assert desk.run(digest.write_digests) == 0  # nothing is open


def test_whoever_wants_one_mail_a_day_is_told_of_the_own_account_at_once(desk: ReviewDesk) -> None:
    def tell(uow: UnitOfWork) -> str:
        uow.session.get_one(Person, "reviewer").digest = True
        return service.notify(uow, "reviewer", "own-account-changed", application_id=None).id

    assert desk.the(Delivery, notice_id=desk.run(tell)).channel == MAIL


async def test_the_account_page_chooses_the_mails(desk: ReviewDesk) -> None:
    async with Portal(desk) as portal:
        reviewer = await portal.signed_in("reviewer")
        assert 'name="mails" value="each" checked' in (await reviewer.get("/account")).text
        await reviewer.post("/account/mails", data={"mails": "daily"})
        assert 'name="mails" value="daily" checked' in (await reviewer.get("/account")).text


def test_every_work_is_that_of_some_notice() -> None:
    assert all(texts.codes_of(work) for work in texts.Work.__args__)  # type: ignore[attr-defined]


# Which modules end the notices of each work, whatever becomes of it.
ENDED_BY = {
    "review": {"custody/naming.py", "reviews/tasks.py"},
    "consent": {"applications/joint.py", "custody/closing.py"},
    "offer": {
        *("custody/closing.py", "custody/hand_overs.py", "custody/naming.py", "custody/returns.py"),
        "disclosures/service.py",
    },
    "return": {
        "custody/closing.py",
        "custody/hand_overs.py",
        "custody/reissue.py",
        "custody/returns.py",
        "custody/use_period.py",
        "disclosures/service.py",
    },
    "inspection": {"custody/closing.py", "disclosures/service.py"},
    "request": {"change_requests/service.py"},
    "check": {"change_requests/service.py", "matters/held.py", "supervision/groups.py"},
    "agreement": {"agreements/service.py"},
    "correction": {"applications/filing.py", "applications/service.py", "custody/closing.py"},
    "case": {"custody/closing.py"},
    "question": {"reviews/questions.py", "reviews/tasks.py"},
    "progress": {"custody/closing.py", "reviews/service.py"},
    "hold": {"holds/reminders.py", "holds/service.py", "work_orders/follow_ups.py"},
    "storage": {"storage/sites.py"},
    "violation": {
        "custody/violation_ends.py",
        "matters/violations/acts.py",
        "matters/violations/appeals.py",
        "matters/violations/tasks.py",
    },
    "viewing": {"custody/granted.py"},
    "letter": {"applications/on_behalf.py", "custody/closing.py"},
    "answer": {"applications/outsiders.py"},
    "work-order": {"work_orders/service.py"},
    "supervision": {"supervision/case_reviews.py", "supervision/signing.py"},
    "package": {"packages/service.py"},
    "preparation": {"custody/closing.py", "retrieval/preservations.py", "reviews/service.py"},
    "management": {"custody/closing.py", "reviews/service.py"},
    "account": {"work_orders/downloads.py"},
    "custodian": {
        "custody/closing.py",
        "custody/hand_overs.py",
        "custody/naming.py",
        "custody/returns.py",
        "disclosures/service.py",
        "staffing/leaving.py",
    },
    "download": {"packages/making.py", "packages/service.py"},
    "damage": {"custody/integrity.py", "retrieval/preservations.py", "storage/damages.py"},
    "examination": {"storage/damages.py"},
    "findings": {"storage/finding_notices.py"},
    "recall": {
        "custody/closing.py",
        "custody/hand_overs.py",
        "custody/reissue.py",
        "custody/returns.py",
        "disclosures/service.py",
        "matters/kinds/recall.py",
        "work_orders/service.py",
    },
    "replacement": {"custody/closing.py", "custody/hand_overs.py"},
    "refused-access": {"matters/kinds/violation.py"},
    "matter": {"reviews/moot_matters.py"},
}

# Notices without a work, which are open until they are read. A new notice is about a work, or is listed here.
# They tell what has happened, and leave nothing to do.
NEWS = {
    *("absence-confirmed", "appeal-granted", "appeal-refused", "change-carried-out", "consents-complete"),
    *("copy-recalled", "copy-unfrozen", "custody-transferred", "daily-digest", "group-appointed", "hold-lifted"),
    *("inspection-reported", "matter-answered", "matter-applied", "matter-moot", "matter-not-ratified"),
    *("matter-ratified", "matter-refused", "matter-withdrawn", "offer-ended", "offer-recall-asked", "offer-recalled"),
    *("package-failed", "package-refused"),
    *("problem-recall", "robot-ended", "test-notice", "use-report-made", "view-ended-by-review", "violation-cleared"),
    *("violation-closed", "violation-upheld", "work-order-cancelled", "work-order-closed"),
}
# They ask whether something is right, or to do what leaves no record: only the reader knows that it is done.
READERS_OWN = {
    *("absence-entered", "absence-restored", "account-changed", "account-locked", "chat-app-changed", "code-refused"),
    *("database-restored", "deliveries-failing", "download-destroyed-held", "download-lost", "download-witnessed"),
    *("inspection-case-in-your-place", "mail-server-changed", "model-unrecorded", "notice-undelivered"),
    *("own-account-changed", "recorder-changed-security", "recovery-code-used", "redacted-copy-damaged"),
    *("robot-changed", "signed-in-your-place", "work-order-check-in-no", "work-order-signed-in-your-place"),
}


def test_every_notice_is_about_a_work_or_says_why_it_waits_to_be_read() -> None:
    without = {code for code, text in texts.all_texts().items() if text.work is None}
    assert {code for code in without if not code.startswith(("case-closed:", "case-refused:"))} == NEWS | READERS_OWN
    assert not NEWS & READERS_OWN


@pytest.mark.requirement("R30")
def test_every_work_is_ended_by_who_knows_of_its_end() -> None:
    found: dict[str, set[str]] = {work: set() for work in texts.Work.__args__}  # type: ignore[attr-defined]
    for file in DOMAIN.glob("**/*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("mark_done"):
                for given in (one for argument in node.args for one in ast.walk(argument)):
                    if isinstance(given, ast.Constant) and given.value in found:
                        found[str(given.value)].add(file.relative_to(DOMAIN).as_posix())
    assert found == ENDED_BY


def open_still(desk: ReviewDesk, code: str) -> set[str]:
    return {notice.person_id for notice in desk.all(Notice, code=code) if notice.done_at is None}


@pytest.mark.requirement("R30")
@pytest.mark.parametrize("outcome", ["approved", "returned"])
def test_once_the_storage_office_has_decided_nobody_is_asked_to_prepare(desk: ReviewDesk, outcome: str) -> None:
    application_id, other = desk.submitted(), desk.submitted()
    for case in (application_id, other):
        desk.approved(case)
        desk.run(filing.file, case, ORDINARY)
        desk.run(escalation.notify_storage, case)
    desk.run(measurements.notify_storage, "preservation-failed", application_id=application_id, subject_id="item")
    assert open_still(desk, "storage-prepare") == {"operator", "operator2"}

    desk.decide(desk.opened(application_id, "storage-release"), "operator", outcome)

    assert {row.application_id for row in desk.all(Notice, code="storage-prepare") if row.done_at is None} == {other}
    assert open_still(desk, "preservation-failed") == set()


@pytest.mark.requirement("R30")
def test_once_management_has_decided_none_of_it_is_told_to_wait_for_a_review(desk: ReviewDesk) -> None:
    application_id = desk.submitted()
    desk.approved(application_id)
    desk.run(escalation.escalate_to_management, application_id, "management", next(desk.keys))
    review_id = desk.opened(application_id, "management")
    assert open_still(desk, "management-decides") == {"manager", "manager2"}
    desk.decide(review_id, "manager")
    assert open_still(desk, "management-decides") == set()


@pytest.mark.requirement("R30")
def test_a_case_that_has_ended_waits_for_no_letter_and_no_preparation(desk: ReviewDesk) -> None:
    codes = ("letter-overdue", "storage-prepare", "preservation-failed", "management-decides", "recorder-changed")
    application_id = desk.submitted()
    for code in codes:
        desk.run(service.notify, "security-head", code, application_id=application_id)
    desk.run(application_service.withdraw, application_id, "不再需要", by="drafter")
    desk.run(closing.release_case, application_id, "withdrawn")
    assert [code for code in codes if open_still(desk, code)] == []


def wants_one_mail(desk: ReviewDesk, person_id: str, email: str | None = "reviewer@footage.example") -> None:
    """The person wants one mail a day; all others have an address, and a mail for each notice."""

    def choose(uow: UnitOfWork) -> None:
        for other in uow.session.query(Person):
            other.email = other.email or f"{other.id}@footage.example"
        person = uow.session.get_one(Person, person_id)
        person.email, person.digest = email, True

    desk.run(choose)


def digests(desk: ReviewDesk) -> list[dispatch.OutgoingNotice]:
    parcels = list(iter(lambda: desk.run(dispatch.claim_next, MAIL), None))
    return [parcel for parcel in parcels if parcel.code == texts.DIGEST]


@pytest.mark.requirement("R30")
@pytest.mark.parametrize(("language", "said"), [("zh", "另有 2 项未列出"), ("en", "And 2 more in the portal.")])
def test_of_many_notices_the_mail_of_the_day_has_the_oldest_work_and_says_how_many_it_leaves_out(
    desk: ReviewDesk, language: str, said: str
) -> None:
    wants_one_mail(desk, "reviewer")
    desk.run(service.notify, "reviewer", "hold-lifted", application_id=None)
    review_id = desk.opened(desk.submitted(), "security")

    def many(uow: UnitOfWork) -> None:
        uow.session.get_one(Person, "reviewer").locale = language
        for number in range(dispatch.MOST_LINES):
            service.notify(uow, "reviewer", "copy-returned", application_id=None, subject_id=str(number))

    desk.clock.turn(timedelta(minutes=1))
    desk.run(many)
    assert desk.run(digest.write_digests) == 1

    [parcel] = digests(desk)
    assert (parcel.lines[0].code, parcel.lines[0].subject_id) == ("review-opened", review_id)
    assert {line.code for line in parcel.lines[1:]} == {"copy-returned"}
    assert (len(parcel.lines), parcel.unlisted) == (dispatch.MOST_LINES, 2)
    mail = payloads.build_mail(parcel, sender="desk@footage.example", portal_url="https://footage.example")
    assert said in mail.get_content()


def fail(desk: ReviewDesk, parcel: dispatch.OutgoingNotice) -> None:
    """The mail server refuses the person's address."""
    desk.run(dispatch.record_failure, parcel.delivery_id, parcel.attempt, "recipient-refused", "550", for_good=True)


@pytest.mark.requirement("R30")
@pytest.mark.parametrize("concerned", [(), ("security-head",)])
def test_where_the_mail_of_the_day_is_refused_the_head_is_asked_to_pass_the_work_on(
    desk: ReviewDesk, concerned: tuple[str, ...]
) -> None:
    wants_one_mail(desk, "reviewer")
    desk.opened(desk.submitted(subject_ids=concerned), "security")
    desk.run(digest.write_digests)
    [parcel] = digests(desk)
    fail(desk, parcel)
    assert open_still(desk, "notice-undelivered") == {"security-deputy" if concerned else "security-head"}


@pytest.mark.requirement("R30")
@pytest.mark.parametrize("known", ["read", "news", "mailed"])
def test_of_a_mail_of_the_day_that_has_no_unknown_work_nobody_is_asked(desk: ReviewDesk, known: str) -> None:
    if known != "mailed":
        wants_one_mail(desk, "reviewer")
    code = "hold-lifted" if known == "news" else "copy-returned"
    notice_id = desk.run(service.notify, "reviewer", code, application_id=None).id
    wants_one_mail(desk, "reviewer")
    desk.run(digest.write_digests)
    if known == "read":
        desk.run(service.mark_read, notice_id, by="reviewer")
    [parcel] = digests(desk)
    fail(desk, parcel)
    assert parcel.code == texts.DIGEST
    assert open_still(desk, "notice-undelivered") == set()
    assert open_still(desk, "deliveries-failing") == {"admin"}


@pytest.mark.requirement("R30")
def test_who_wants_one_mail_a_day_and_has_no_address_is_asked_for_at_once(desk: ReviewDesk) -> None:
    wants_one_mail(desk, "reviewer", None)
    desk.opened(desk.submitted(), "security")
    assert digests(desk) == []
    assert open_still(desk, "notice-undelivered") == {"security-head"}
    assert desk.run(digest.write_digests) == 0  # it is known already


@pytest.mark.requirement("R30")
@pytest.mark.parametrize("email", [None, ""])
def test_who_has_lost_the_address_before_the_mail_of_the_day_is_asked_for_once(
    desk: ReviewDesk, email: str | None
) -> None:
    wants_one_mail(desk, "reviewer")
    desk.run(service.notify, "reviewer", "copy-returned", application_id=None)
    wants_one_mail(desk, "reviewer", email)

    assert desk.run(digest.write_digests) == 1
    assert digests(desk) == []  # it cannot be sent
    assert open_still(desk, "notice-undelivered") == {"security-head"}
    desk.clock.turn(timedelta(days=1))
    assert desk.run(digest.write_digests) == 0


@pytest.mark.requirement("R30")
def test_who_changes_to_a_mail_for_each_notice_misses_nothing_of_the_day(desk: ReviewDesk) -> None:
    wants_one_mail(desk, "reviewer")
    review_id = desk.opened(desk.submitted(), "security")
    for _ in range(2):
        desk.run(own_account.choose_digest, daily=False, by="reviewer")
    [parcel] = digests(desk)
    assert [line.subject_id for line in parcel.lines] == [review_id]

    desk.run(own_account.choose_digest, daily=True, by="reviewer")
    desk.run(own_account.choose_digest, daily=False, by="reviewer")
    assert digests(desk) == []  # nothing has come since


def unnoticed(uow: UnitOfWork, application_id: str) -> None:
    """Lay out what an earlier version has left: work that was done, of which its notices learned nothing."""
    gone, later = uow.now - timedelta(days=1), uow.now + timedelta(days=1)
    by = {"placed_by": "security-head", "owner_id": "reviewer", "review_at": later, "matter_id": None}
    for number, lifted_at in enumerate((gone, None)):
        hold = Hold(id=f"hold{number}", application_id=application_id, cause="other", reason="r", placed_at=gone, **by)
        hold.lifted_at = lifted_at
        matter = Matter(
            id=f"matter{number}",
            number=f"JJ-2031-00000{number}",
            kind="urgent",
            application_id=application_id,
            opened_at=gone,
            facts={},
            facts_sha256="",
            closed_at=lifted_at,
        )
        package = EvidencePackage(
            id=f"package{number}",
            application_id=application_id,
            footage="hash",
            recipient_kind="authority",
            recipient="r",
            reason="r",
            asked_by="reviewer",
            asked_at=gone,
            log_keys=[],
            expires_at=lifted_at or later,
        )
        finding = ReconciliationFinding(
            id=f"finding{number}",
            fingerprint=str(number),
            kind="extra",
            place="primary",
            subject="s",
            detail={},
            found_at=gone,
            first_day=f"2031-01-0{number + 1}",
            last_day="2031-01-02",
            state="open" if lifted_at is None else "explained",
        )
        uow.session.add_all([hold, matter, package, finding])
        for code, subject in (
            ("hold-owned", hold.id),
            ("urgent-repeated", matter.id),
            ("package-ready", package.id),
            ("reconciliation-findings", finding.first_day),
        ):
            service.notify(uow, "reviewer", code, application_id=None, subject_id=subject)


@pytest.mark.both_databases
@pytest.mark.requirement("R30")
def test_what_an_earlier_version_left_open_ends_with_the_first_look_at_the_register(any_database_url: str) -> None:
    desk = ReviewDesk(any_database_url)
    application_id = desk.submitted()
    desk.run(unnoticed, application_id)
    desk.run(service.notify, "head", "custodian-leaves", application_id=application_id)
    desk.run(service.notify, "reviewer", "notice-undelivered", application_id=application_id)

    desk.run(ended_work.end_unnoticed)

    left = {notice.code: notice.subject_id for notice in desk.all(Notice) if notice.done_at is None}
    assert {left.pop(code) for code in ("hold-owned", "urgent-repeated", "package-ready")} == {
        *("hold1", "matter1", "package1")
    }
    assert left.pop("reconciliation-findings") == "2031-01-02"
    assert "custodian-leaves" not in left, "nobody leaves"
    assert "notice-undelivered" in left
    desk.close()


@pytest.mark.both_databases
@pytest.mark.requirement("R30")
def test_the_look_at_the_register_ends_nothing_whose_work_goes_on(any_database_url: str) -> None:
    desk = ReviewDesk(any_database_url)
    application_id = desk.submitted()
    desk.run(lambda uow: setattr(uow.session.get_one(Person, "keeper"), "active", False))
    works = [work for work in texts.Work.__args__ if work not in ("damage", "findings")]  # type: ignore[attr-defined]
    for work in works:
        code = min(texts.codes_of(work))
        desk.run(service.notify, "reviewer", code, application_id=application_id, subject_id="none")

    desk.run(ended_work.end_unnoticed)

    assert [notice.code for notice in desk.all(Notice) if notice.done_at is not None] == []
    desk.close()
