"""Applications and their items: who asks for which footage, why, and what was granted (R16 to R21, R49).

There is no status column: the state of a case follows from its reviews, items and hand-over, and the process engine
keeps the history (docs/failures.md F24).
"""

from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.engine.default import DefaultExecutionContext
from sqlalchemy.orm import Mapped, mapped_column

from services.database.base import Base, new_id, reference
from services.database.tables.cameras import Camera
from services.database.tables.people import Department, Person

if TYPE_CHECKING:
    from services.database.tables.copies import Copy
    from services.database.tables.custody import HandOver
    from services.database.tables.documents import Document
    from services.database.tables.masters import Master
    from services.database.tables.process_steps import ProcessStep
    from services.database.tables.reviews import Finding, Review

WAYS_OF_USE = ("on-site", "view", "download")  # each gives more than the one before (T9)
OUTCOMES = (
    "footage-re-archived",
    "rejected",
    "withdrawn",
    "expired",
    "footage-unavailable",
    "copy-not-taken-up",
    "copy-lost",
    "return-disputed",
    "footage-provided",
)


TO_ADD_UP = text("visits_added_at IS NULL")
TO_DISCARD = text("discard_after IS NOT NULL")
APPEALS = text("previous_id IS NOT NULL")
NO_LETTER = text("letter_due_at IS NOT NULL AND original_letter IS NULL")
NO_ANSWER = text("answer_due_at IS NOT NULL AND answered_at IS NULL")
ASKED = text("dropped_in_round IS NULL")
OF_TIME = ("asked_end", "asked_start", "application_id")
CONCERNS = text("subject_ids <> '[]'")
NAMED = text("named_custodian_id IS NOT NULL")
LACKING = text("outcome IN ('partial', 'missing', 'unreadable')")


def _listed_at(context: DefaultExecutionContext) -> datetime:
    row: dict[str, Any] = context.get_current_parameters()  # type: ignore[no-untyped-call]  # SQLAlchemy types it not
    moment: datetime = row.get("submitted_at") or row["created_at"]
    return moment


class Application(Base):
    """One case. Reason and purpose stay here and never become process variables (F27).

    ``drafter_id`` asks on behalf of ``department_id``; ``custodian_id`` is to hold the copies, as the form says.
    """

    __tablename__ = "applications"
    # a year has a hundred thousand of them, and at any time few are open or name whom they concern
    __table_args__ = (
        Index("ix_applications_closed", "closed_at", "submitted_at"),
        Index("ix_applications_listed", "listed_at", "id"),
        Index("ix_applications_created", "created_at", "id"),
        Index("ix_applications_of_department", "department_id", "listed_at", "id"),
        Index("ix_applications_incident", text("lower(incident_reference)")),
        Index("ix_applications_to_add_up", "closed_at", sqlite_where=TO_ADD_UP, postgresql_where=TO_ADD_UP),
        Index(
            "ix_applications_to_discard", "discard_after", "id", sqlite_where=TO_DISCARD, postgresql_where=TO_DISCARD
        ),
        Index("ix_applications_to_discard_by_id", "id", sqlite_where=TO_DISCARD, postgresql_where=TO_DISCARD),
        Index("ix_applications_appeals", "previous_id", sqlite_where=APPEALS, postgresql_where=APPEALS),
        Index("ix_applications_letters", "letter_due_at", "id", sqlite_where=NO_LETTER, postgresql_where=NO_LETTER),
        Index("ix_applications_answers", "answer_due_at", "id", sqlite_where=NO_ANSWER, postgresql_where=NO_ANSWER),
        Index("ix_applications_named_custodian", "named_custodian_id", sqlite_where=NAMED, postgresql_where=NAMED),
        Index("ix_applications_concerning", "id", sqlite_where=CONCERNS, postgresql_where=CONCERNS),
    )

    id: Mapped[str] = mapped_column(primary_key=True, default=new_id)
    number: Mapped[str | None] = mapped_column(unique=True)  # SQ-2026-000123, given at submission
    policy_version: Mapped[str]
    drafter_id: Mapped[str] = mapped_column(ForeignKey("people.id"), index=True)
    department_id: Mapped[str] = mapped_column(ForeignKey("departments.id"))
    custodian_id: Mapped[str | None] = mapped_column(ForeignKey("people.id"), index=True)
    # in that person's place, whom the copies of the present issue are offered to; from then on the hand-over says it
    named_custodian_id: Mapped[str | None] = mapped_column(ForeignKey("people.id"))
    previous_id: Mapped[str | None] = mapped_column(ForeignKey("applications.id"))  # an appeal names the old one (T6)
    created_at: Mapped[datetime]
    submitted_at: Mapped[datetime | None]
    # the one that it has: by it lists are sorted; it never differs
    listed_at: Mapped[datetime | None] = mapped_column(default=_listed_at)
    round: Mapped[int] = mapped_column(default=0)  # corrections so far; as the process counts them
    # of its copies, from 1; since ``reissued_at`` the items of this issue are retrieved and handed over (R44)
    issue: Mapped[int] = mapped_column(default=1, server_default="1")
    reissued_at: Mapped[datetime | None]

    title: Mapped[str | None]  # in a few words what it is about, for lists
    reason: Mapped[str]
    purpose: Mapped[str]
    purpose_category: Mapped[str]
    legal_basis: Mapped[str]
    incident_reference: Mapped[str | None]
    way_of_use: Mapped[str]  # as requested
    way_of_use_because: Mapped[str | None]  # why less is not enough; None: handed in before it was asked
    place_of_use: Mapped[str]
    subject_ids: Mapped[list[str]] = mapped_column(default=list)  # people of the organisation whom the case concerns
    recipient_ids: Mapped[list[str] | None]  # people to whom the custodian may show the footage (R57)
    requested_use_days: Mapped[int]
    urgent_because: Mapped[str | None]
    on_behalf: Mapped[str | None]  # of whom outside it is asked for: forms.ON_BEHALF; None: for the organisation itself
    letter_title: Mapped[str | None]
    letter_number: Mapped[str | None]
    letter_date: Mapped[str | None]  # ISO 8601, as the letter bears it
    letter_seal_checked: Mapped[bool | None]
    letter_first: Mapped[str | None]  # how an authority asked before its letter came: outsiders.FIRST
    letter_due_at: Mapped[datetime | None]  # until when the original has to be entered
    original_letter: Mapped[dict[str, Any] | None]  # as it was entered afterwards, by whom and when
    letter_told_at: Mapped[datetime | None]  # when Security's head was told that it is overdue
    answer_due_at: Mapped[datetime | None]  # until when a person who was filmed has to have an answer
    answered_at: Mapped[datetime | None]
    answer_told_at: Mapped[datetime | None]

    important_information: Mapped[bool] = mapped_column(default=False)
    sensitive_event: Mapped[bool] = mapped_column(default=False)
    high_impact: Mapped[bool] = mapped_column(default=False)
    sensitivities: Mapped[list[str] | None]  # what the drafter declares the footage to show: forms.SENSITIVITIES
    rule_ids: Mapped[list[str] | None]  # laws, standards and own rules that the drafter names as its basis
    joint_department_ids: Mapped[list[str] | None]  # departments that agree on the applicant, beside the own (R17)
    # the departments of drafter, subjects and consenters by person, as they were when the case first named them (T8)
    near_departments: Mapped[dict[str, Any] | None]
    importance: Mapped[str | None]
    management_needed: Mapped[bool | None]
    decided_by: Mapped[str | None]
    second_person: Mapped[bool | None]
    backup_needed: Mapped[bool | None]
    max_use_days: Mapped[int | None]
    granted_way_of_use: Mapped[str | None]
    handling: Mapped[dict[str, Any] | None]  # the rules of its levels when its form was filed: domain.handling.cases
    granted_use_days: Mapped[int | None]

    process_instance_key: Mapped[int | None]
    # the version of the process that the instance runs on, as the engine numbers it, and the SHA-256 of the model's
    # file; None before schema 1144, the digest also where the model was not deployed on record
    process_id: Mapped[str | None]
    process_version: Mapped[int | None]
    process_definition_key: Mapped[int | None]
    model_sha256: Mapped[str | None]
    storage_notified_at: Mapped[datetime | None]
    correction_until: Mapped[datetime | None]
    correction_seconds: Mapped[int | None]  # how long this case has for each correction, as its process counts
    withdrawn_at: Mapped[datetime | None]
    closed_at: Mapped[datetime | None]
    closed_as: Mapped[str | None]
    appeal_until: Mapped[datetime | None]  # until when a refused case may be appealed; its quarantine is kept so long
    # After it, what the closed case has left is discarded (quarantine, uploads, copies that nobody had), and never
    # while something holds the case. None where nothing is left.
    discard_after: Mapped[datetime | None]
    visits_added_at: Mapped[datetime | None]  # when its ``StageVisit`` rows were written, after it had ended

    drafter: Mapped[Person] = reference(foreign_keys=drafter_id)
    department: Mapped[Department] = reference()
    custodian: Mapped[Person | None] = reference(foreign_keys=custodian_id)
    previous: Mapped["Application | None"] = reference(remote_side=id)
    items: Mapped[list["Item"]] = reference(order_by="Item.position")
    revisions: Mapped[list["Revision"]] = reference(order_by="Revision.round")
    # those of the application alone: a matter of the case has its own
    reviews: Mapped[list["Review"]] = reference(
        primaryjoin="and_(foreign(Review.application_id) == Application.id, Review.matter_id.is_(None))",
        order_by="(Review.opened_at, Review.id)",
    )
    findings: Mapped[list["Finding"]] = reference()
    steps: Mapped[list["ProcessStep"]] = reference(order_by="(ProcessStep.began_at, ProcessStep.element_instance_key)")
    # of the present issue alone: the loan of copies that were replaced is over
    hand_over: Mapped["HandOver | None"] = reference(
        primaryjoin="and_(foreign(HandOver.application_id) == Application.id, HandOver.issue == Application.issue)",
        uselist=False,
    )

    @property
    def recipients(self) -> list[str]:
        """The people besides the custodian who may see the footage, by id."""
        return [person_id for person_id in self.recipient_ids or () if person_id != self.custodian_id]


class Item(Base):
    """One camera and one span; a correction that drops it leaves the row, and so does the re-issue that replaces it.

    ``replaces_id``: the item of the issue before, whose copy had to be replaced (R44). That one is out of scope from
    then on, like one that was dropped. ``unchanged``: its footage was in order, so that it is taken from that master.
    """

    __tablename__ = "items"
    # the cases of a camera, and of a time, are read from these alone
    __table_args__ = (
        Index("ix_items_of_camera", "camera_id", *OF_TIME, sqlite_where=ASKED, postgresql_where=ASKED),
        Index("ix_items_of_time", *OF_TIME, sqlite_where=ASKED, postgresql_where=ASKED),
        Index("ix_items_lacking", "outcome", "application_id", sqlite_where=LACKING, postgresql_where=LACKING),
    )

    id: Mapped[str] = mapped_column(primary_key=True, default=new_id)
    application_id: Mapped[str] = mapped_column(ForeignKey("applications.id"), index=True)
    position: Mapped[int]
    camera_id: Mapped[str] = mapped_column(ForeignKey("cameras.id"), index=True)
    zone: Mapped[str]
    asked_start: Mapped[datetime]
    asked_end: Mapped[datetime]
    granted_start: Mapped[datetime | None]
    granted_end: Mapped[datetime | None]
    dropped_in_round: Mapped[int | None]
    replaces_id: Mapped[str | None] = mapped_column(ForeignKey("items.id"), index=True, unique=True)
    form_item_id: Mapped[str | None]  # of an item that replaces another one: the line of the form that it lies within
    unchanged: Mapped[bool] = mapped_column(default=False, server_default=text("false"))
    outcome: Mapped[str | None]  # complete, partial, missing, unreadable
    coverage: Mapped[float | None]
    loss_accepted: Mapped[bool | None]  # that pictures lack was accepted in advance, by the stage partial-footage
    reported: Mapped[dict[str, Any] | None]  # what the recorder said it has at the submission: at, covered

    application: Mapped[Application] = reference()
    camera: Mapped[Camera] = reference()
    master: Mapped["Master | None"] = reference()
    copy: Mapped["Copy | None"] = reference()
    # the case is named as well, for the index of kind and case: SQLite else reads all records of all cases
    retrieval_record: Mapped["Document | None"] = reference(
        primaryjoin="and_(Document.item_id == Item.id, Document.application_id == Item.application_id, "
        "Document.kind == 'retrieval-record')"
    )


class Revision(Base):
    """The submitted or corrected form of one round; decisions are bound to ``sha256``."""

    __tablename__ = "revisions"
    __table_args__ = (UniqueConstraint("application_id", "round"),)

    id: Mapped[str] = mapped_column(primary_key=True, default=new_id)
    application_id: Mapped[str] = mapped_column(ForeignKey("applications.id"), index=True)
    round: Mapped[int]
    submitted_by: Mapped[str] = mapped_column(ForeignKey("people.id"))
    submitted_at: Mapped[datetime]
    form: Mapped[dict[str, Any]]
    sha256: Mapped[str]
