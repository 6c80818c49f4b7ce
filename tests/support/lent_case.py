"""A case whose copy is lent on paper, with the identifiers of all that hangs on it; of a department of one's choice."""

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from by_hand import anything_goes
from review_desk import FORM, NOON, PASSWORD, ReviewDesk
from second_person import asked
from sqlalchemy import select

from services.database.tables.applications import Application, Item
from services.database.tables.consents import Consent
from services.database.tables.custody import HandOver
from services.database.tables.deliveries import Delivery
from services.database.tables.deployments import ModelSet
from services.database.tables.evidence_packages import EvidencePackage, PackageFetch
from services.database.tables.notice_robots import NoticeRobot
from services.database.tables.notices import Notice
from services.database.tables.outsiders import Outsider
from services.database.tables.people import Post
from services.database.tables.reviews import ApplicantQuestion
from services.database.tables.sittings import Sitting
from services.database.tables.working_calendar import CalendarYear
from services.database.unit_of_work import UnitOfWork
from services.domain.accounts import absences, posts
from services.domain.accounts.posts import PostRequest
from services.domain.accounts.signatures.given import Proof
from services.domain.applications import service as application_service
from services.domain.applications.service import item_ids
from services.domain.attachments import service as attachments
from services.domain.attachments.schemas import Description
from services.domain.attachments.service import Stored
from services.domain.attachments.subjects import SubjectKind
from services.domain.cameras import plans, reference_pictures
from services.domain.cameras.photographs import Picture
from services.domain.cameras.plans import PlanEntry
from services.domain.cases import saved_searches
from services.domain.change_requests import holds
from services.domain.custody import copies, hand_overs, viewings
from services.domain.deployments import uploads as uploads_of_models
from services.domain.documents import service as document_service
from services.domain.matters import held as legal_holds
from services.domain.matters import service as matters
from services.domain.notifications import service as notification_service
from services.domain.retrieval import attempts, masters, uploads
from services.domain.retrieval.uploads import Facts
from services.domain.reviews import filing
from services.domain.reviews.classification import Classification
from services.domain.storage import devices, media, sites
from services.domain.storage.schemas import DeviceBody, MediumBody, SiteBody
from services.domain.work_orders import opening
from services.domain.work_orders.roles import Role
from services.recorders.protocol import RecorderFacts
from services.runtime.errors import Retryable
from services.runtime.spans import Span
from services.vault.age import generate_identity

TIMES = ["2031-03-04T10:00:00Z", "2031-03-04T11:00:00Z"]
TRANSFER = {"reason": "none", "toPersonId": "drafter", "conditions": "none"}
SEALED = {
    "versionId": "v1",
    "size": 1,
    "plainSize": 5000,
    "sha256Plain": "a" * 64,
    "sha256Cipher": "b" * 64,
    "outcome": "complete",
    "fragments": [],
    "coverage": {
        **{
            "asked": TIMES,
            "requested": TIMES,
            "covered": [TIMES],
            "gaps": [],
            "lost": [],
            "parts": [],
            "sources": [],
            "codecs": ["h264"],
        },
        **{"firstFrame": TIMES[0], "lastFrame": TIMES[1], "zero": TIMES[0], "leftOut": [], "problems": []},
        **{"share": 1, "leadInMs": 0, "tailMs": 0, "packets": 1, "droppedPackets": 0, "driftMs": 0, "fingerprint": ""},
        **{"trimmedBeforeMs": 0, "trimmedAfterMs": 0},
    },
}


@dataclass(frozen=True)
class Parts:
    """Who plays which part in the case; ``subject_ids`` are those whom it concerns."""

    drafter: str = "drafter"
    custodian: str = "keeper"
    subject_ids: tuple[str, ...] = ("deputy",)
    preliminary: str = "head"
    reviewer: str = "reviewer"
    signer: str = "security-head"
    manager: str | None = None  # where the case concerns Security
    recipient_ids: tuple[str, ...] = ()


class Lens:
    """A recorder that has everything."""

    async def coverage(self, _channel: str, span: Span) -> list[Span]:
        return [span]

    async def snapshot(self, _channel: str, _at: object) -> bytes:
        return b"\xff\xd8"

    async def probe(self) -> RecorderFacts:
        return RecorderFacts("", "", "", False, {}, None, "", None, "UTC")


class Away:
    """A store that is away: whoever gets as far as it was let through."""

    def __getattr__(self, name: str) -> Any:
        if name == "unwrapper":
            return lambda _copy_id: None
        raise Retryable("away")


def lend(desk: ReviewDesk, parts: Parts = Parts()) -> dict[str, str]:
    """Lay out the case: approved, its release open, one copy accepted, watched and downloaded; beside it a joint one
    that waits for Security's consent, and a file that is announced."""
    people = {"subject_ids": parts.subject_ids, "recipient_ids": parts.recipient_ids}
    form = replace(FORM, custodian_id=parts.custodian, **people)
    application_id = _submitted(desk, form, parts.drafter)
    for stage, by in (
        ("preliminary", parts.preliminary),
        ("security", parts.reviewer),
        ("security-signature", parts.signer),
    ):
        desk.decide(desk.opened(application_id, stage), by)
    if parts.manager is not None:
        desk.decide(desk.opened(application_id, "management"), parts.manager, opinion="同意调取。")
    filed = desk.run(filing.file, application_id, Classification("ordinary", False, False, False, 15))
    desk.classed(application_id, granted_way_of_use="download")
    release = desk.opened(application_id, "storage-release")
    item_id, copy_id, hand_over_id = desk.run(offered, application_id)
    joint_id = _submitted(desk, replace(form, joint_department_ids=("security",)), parts.drafter)
    facts = Facts("meeting", "例会", "", "会议室", "王芳", "", "UTC")
    return {
        "application_id": application_id,
        "question_id": desk.run(_question, application_id, release, parts.reviewer),
        "review_id": release,
        "item_id": item_id,
        "copy_id": copy_id,
        "hand_over_id": hand_over_id,
        **_accepted(desk, parts.custodian, application_id, copy_id, hand_over_id),
        "number": filed.form_number,
        "consent_id": desk.the(Consent, application_id=joint_id).id,
        "upload_id": desk.run(uploads.announce, facts, None, by=parts.drafter).id,
        "attachment_id": desk.run(attached, application_id, by=parts.reviewer),
        "notice_id": desk.all(Notice, person_id=parts.drafter)[0].id,
    }


def attached(
    uow: UnitOfWork,
    subject_id: str,
    kind: str = "identity-card",
    note: str = "",
    *,
    subject: SubjectKind = "application",
) -> str:
    """A file on paper: its attachment's id."""
    upload = attachments.begin(uow, subject, subject_id)
    uow.session.flush()
    sealed = {"bucket": "documents", "key": upload.key, **SEALED}
    stored = Stored(upload.id, "image/jpeg", sealed, generate_identity()[0], "c" * 64)
    described = Description(kind=kind, name="card.jpg", note=note)  # type: ignore[arg-type]  # one of the kinds
    return attachments.add(uow, subject, subject_id, described, stored).id


def besides(desk: ReviewDesk) -> dict[str, str]:
    """The identifiers of what belongs to no case, and of a matter about the loan."""
    since, until = NOON, NOON + timedelta(days=3)
    desk.run(reference_pictures.store, "camera", b"a picture", "admin")
    return {
        "recorder_id": "recorder",
        "camera_id": "camera",
        "process_id": "review",
        "change_id": asked(desk, posts.assign, "reviewer2", PostRequest("deputy", "security")),
        "hold_id": desk.run(_held),
        "legal_hold_id": desk.run(
            legal_holds.place, str(desk.all(Application)[0].number), cause="manual", reason="none", by="security-deputy"
        ).id,
        "session_id": "somebody-elses",
        "passkey_id": "somebody-elses",
        "person_id": "reviewer2",
        "department_id": "office",
        "post_id": desk.the(Post, person_id="reviewer2").id,
        "absence_id": desk.run(absences.add, "reviewer2", since=since, until=until, by="reviewer2").id,
        "delivery_id": desk.run(_failed),
        "robot_id": desk.run(_robot),
        "search_id": desk.run(saved_searches.save, "mine", "text=gate", by="reviewer").id,
        "rule_name": "max_items",
        "level": "trade-secret",
        "rule_id": "order-799",
        "name": "max_items",
        "version": desk.rules.agreement_version,
        "act": "unlock",
        "year": desk.run(_calendar),
        "set_id": desk.run(_models),
        "kind": "custody-transfer",
        "matter_id": _transfer(desk),
        "violation_id": "none",
        **desk.run(_package, by="reviewer"),
        "group_id": "none",
        "inspection_id": "none",
        "inspected_case_id": "none",
        "requirement": "R41",
        "seq": "1",
        "outsider_id": desk.run(_outsider),
        "derivative_id": "none",
        "detection_id": "none",
        **{"still_id": "none", "other_id": "none"},
        "sitting_id": desk.run(_sitting),
        "work_order_id": desk.run(_work_order),
        "schedule_code": "check-in",
        "place": "primary",
        "manual": "custodian",
        "language": "en",
        "picture": "overview.webp",
        **(registers := desk.run(_registers, by="operator")),
        "plan_id": desk.run(_plan, registers["site_id"], by="admin"),
        **dict.fromkeys(("disposal_item_id", "finding_id", "damage_id"), "none"),
    }


def _registers(uow: UnitOfWork) -> dict[str, str]:
    """A site that somebody keeps, with a device and a medium."""
    site = sites.add(uow, SiteBody(name="东区机房", address="厂区东路1号"))
    keeper = sites.set_keeper(uow, site.id, "operator", "keeper")
    device = DeviceBody(number="SB-001", kind="array", make="M", model="M", site_id=site.id)
    medium = MediumBody(number="JZ-001", kind="usb-stick", site_id=site.id)
    return {
        "site_id": site.id,
        "keeper_id": keeper.id,
        "device_id": devices.add(uow, device).id,
        "medium_id": media.add(uow, medium).id,
    }


def _plan(uow: UnitOfWork, site_id: str) -> str:
    """A floor plan that is shown: it has a picture, and a camera on it."""
    plan = plans.add(uow, PlanEntry(site_id, "一号楼", "Building 1", "二层", "Floor 2", 2))
    plans.upload(uow, plan.id, Picture(b"\xff\xd8\xff", 800, 600))
    plans.place(uow, plan.id, {"camera": (250, 500)})
    return plan.id


def _work_order(uow: UnitOfWork) -> str:
    """A work order of the storage office, which Security verifies."""
    return opening.open_work_order(
        uow,
        "device-service",
        opening.Subject("recorder", "recorder", "none"),
        key="none",
        doer=Role("storage-operator", department_kind="storage"),
        verifier=Role("security-reviewer", department_kind="security"),
        by_system=True,
    ).id


def _outsider(uow: UnitOfWork) -> str:
    """A person outside whom the case names, on paper."""
    case = uow.session.scalars(select(HandOver)).one().application_id
    row = Outsider(application_id=case, position=1, name="李警官", unit="市公安局", added_by="drafter")
    row.card_kind, row.card_tail, row.card_sealed, row.contact = "police-card", "2345", "", "none"
    row.added_at = uow.now
    uow.session.add(row)
    uow.session.flush()
    row.card_sealed = uow.secrets.encrypt("012345", f"card of outsider {row.id}")
    return row.id


def _sitting(uow: UnitOfWork) -> str:
    """A viewing on site of the loan that has ended, on paper."""
    loan = uow.session.scalars(select(HandOver)).one()
    row = Sitting(
        number="CY-2031-000001",
        application_id=loan.application_id,
        hand_over_id=loan.id,
        companion_id=loan.custodian_id,
        station="监控室",
        address="10.0.5.20",
        purpose="none",
        present={"people": [], "outsiders": []},
        opened_at=uow.now,
        confirmed_at=uow.now,
        interval_seconds=600,
    )
    row.closed_at, row.closed_by, row.closed_as = uow.now, loan.custodian_id, "left"
    uow.session.add(row)
    uow.session.flush()
    return row.id


def _package(uow: UnitOfWork) -> dict[str, str]:
    """An evidence package that the reviewer has asked for and that is not made yet, on paper; and a fetching of it."""
    row = EvidencePackage(
        application_id=uow.session.scalars(select(HandOver)).one().application_id,
        footage="hash",
        recipient_kind="inside",
        recipient="none",
        reason="none",
        asked_by=uow.actor.id,
        asked_at=uow.now,
        queued_at=uow.now,
        log_keys=[],
    )
    uow.session.add(row)
    uow.session.flush()
    fetch = PackageFetch(package_id=row.id, person_id=uow.actor.id, address="x", asked_at=uow.now, reads=0)
    uow.session.add(fetch)
    uow.session.flush()
    return {"package_id": row.id, "fetch_id": fetch.id}


def _transfer(desk: ReviewDesk) -> str:
    """The custodian has offered the copies to somebody else of the department."""
    loan = desk.the(HandOver)
    department = desk.the(Application, id=loan.application_id).department_id
    asked = TRANSFER | ({"toPersonId": "manager2"} if department == "board" else {})
    act = matters.open_matter
    proof = Proof(password=PASSWORD)
    return str(desk.run(act, "custody-transfer", loan.application_id, asked, proof, by=loan.custodian_id).id)


def _calendar(uow: UnitOfWork) -> str:
    """A year of the working calendar, without a day that differs from the week."""
    uow.session.add(CalendarYear(year=2031, days=[], imported_at=uow.now, imported_by="admin", reason="none"))
    return "2031"


def _models(uow: UnitOfWork) -> str:
    """A set of models that was uploaded and checked."""
    row = ModelSet(
        **{"uploaded_by": "admin", "uploaded_at": uow.now, "files": {}, "content": uploads_of_models.pack({})},
        **{"base": "", "tries": 1, "checked_at": uow.now},
        result={"verdict": "broken", "rules": 1, "rules_sha256": None, "states": 1},
    )
    uow.session.add(row)
    uow.session.flush()
    return row.id


def _question(uow: UnitOfWork, application_id: str, review_id: str, by: str) -> str:
    """What the applicant was asked while the release is open."""
    question = ApplicantQuestion(
        application_id=application_id, review_id=review_id, asked_by=by, asked_at=uow.now, text="哪一个门？"
    )
    uow.session.add(question)
    uow.session.flush()
    return question.id


def _submitted(desk: ReviewDesk, form: Any, by: str) -> str:
    def act(uow: UnitOfWork) -> str:
        return application_service.submit(uow, application_service.create_draft(uow, form).id).id

    return desk.run(act, by=by)


def _accepted(desk: ReviewDesk, by: str, application_id: str, copy_id: str, hand_over_id: str) -> dict[str, str]:
    receipt = desk.opened(application_id, "receipt", hand_over_id=hand_over_id)
    proof = Proof(desk.form_sha256(receipt), PASSWORD)
    desk.run(hand_overs.accept, hand_over_id, conditions_version=desk.rules.policy_version, proof=proof, by=by)
    sitting = desk.run(viewings.open_viewing, copy_id, purpose_confirmed=True, address="x", by=by)
    recipient = generate_identity()[1]
    download = desk.run(viewings.list_download, copy_id, recipient=recipient, medium="d", address="x", by=by)
    return {"viewing_id": sitting.viewing_id, "download_id": download.id}


def _held(uow: UnitOfWork) -> str:
    """Signatures that wait after a reset."""
    holds.add(uow, "reviewer2", "password-reset")
    return holds.list_current(uow, "reviewer2")[0].id


def _robot(uow: UnitOfWork) -> str:
    """A chat group that receives notices."""
    robot = NoticeRobot(
        kind="wecom",
        name="群",
        language="zh",
        address=uow.secrets.encrypt("https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=x", "notice robot"),
        shown="qyapi.weixin.qq.com …x",
        added_by="admin",
        added_at=uow.now,
        next_at=uow.now,
    )
    uow.session.add(robot)
    uow.session.flush()
    return robot.id


def _failed(uow: UnitOfWork) -> str:
    """A delivery that has failed."""
    notification_service.notify(uow, "drafter", "application-incomplete", application_id=None, channels=("mail",))
    delivery = uow.session.scalars(select(Delivery)).one()
    delivery.given_up_at, delivery.last_error = uow.now, "unreachable"
    return delivery.id


def offered(uow: UnitOfWork, application_id: str, record: dict[str, Any] | None = None) -> tuple[str, str, str]:
    """A master and a copy of the one item, on paper, and the copy offered: the item's, the copy's, the hand-over's id.

    ``record`` is what the retrieval record holds.
    """
    [item_id] = item_ids(uow, application_id)
    for purpose in ("master", "copy"):
        attempt = attempts.start(uow, purpose, application_id=application_id, item_id=item_id, job_key=1)  # type: ignore[arg-type]  # of the two
        uow.session.flush()
        where = {**SEALED, "bucket": attempt.bucket, "key": attempt.key}
        if purpose == "master":
            masters.create(uow, attempt.id, where, origin="recorder")
            number = document_service.next_number(uow, "retrieval-record")
            document_service.write(
                uow, "retrieval-record", number, record or {}, application_id=application_id, item_id=item_id
            )
        else:
            copies.create(uow, attempt.id, where)
        uow.session.flush()
    uow.session.get_one(Item, item_id).outcome = "complete"
    with anything_goes():
        offer = hand_overs.offer(uow, application_id)
    return item_id, attempt.subject_id, offer.hand_over_id
