"""One application under approval that is called urgently: released, shown and ended as its process does it."""

from datetime import timedelta
from typing import Any

from lent_case import SEALED
from review_desk import PASSWORD, ReviewDesk

from services.database.tables.applications import Application, Item
from services.database.tables.matters import Matter
from services.database.tables.outbox import OutboxMessage
from services.database.tables.reviews import Review
from services.database.tables.violations import Violation
from services.database.unit_of_work import UnitOfWork
from services.domain.accounts.signatures.given import Proof
from services.domain.custody import emergency
from services.domain.documents import service as document_service
from services.domain.matters import tasks, urgents
from services.domain.retrieval import attempts
from services.domain.reviews import moot_matters
from services.domain.reviews import service as review_service
from services.runtime.errors import Refused

INSTANCE = 7000
ASKED = {"ground": "missing-person", "reason": "一名儿童在东门走失。"}
CALLER, RELEASER = "head", "operator"


class Urgent:
    """A desk with one application under approval, which may be called urgently."""

    def __init__(self, url: str) -> None:
        self.desk = ReviewDesk(url)
        self.case = self.desk.submitted()

    @classmethod
    def of(cls, desk: ReviewDesk, case: str) -> "Urgent":
        """The same for an application of a desk that is there already."""
        urgent = cls.__new__(cls)
        urgent.desk, urgent.case = desk, case
        return urgent

    def call(self, by: str = CALLER, case: str = "", password: str = PASSWORD, **asked: Any) -> str:
        def act(uow: UnitOfWork) -> str:
            return urgents.call(uow, case or self.case, {**ASKED, **asked}, Proof("", password)).id

        return self.desk.run(act, by=by)

    def matter(self, matter_id: str) -> Matter:
        return self.desk.the(Matter, id=matter_id)

    def open_release(self, matter_id: str) -> str:
        key = next(self.desk.keys)
        return self.desk.run(
            tasks.open_review, matter_id, "urgent-release", job_key=key, process_instance_key=INSTANCE + key
        ).review_id

    def decide(self, review_id: str, by: str = RELEASER, outcome: str = "approved", **named: Any) -> None:
        matter_id = self.desk.the(Review, id=review_id).matter_id
        given: dict[str, Any] = {
            "answers": {"urgent": True, "smallest": True},
            "proof": Proof(self.matter(str(matter_id)).facts_sha256, PASSWORD),
            **({"reason": "不紧急"} if outcome == "rejected" else {}),
        }
        self.desk.run(review_service.decide, review_id, outcome=outcome, by=by, **{**given, **named})

    def released(self, **asked: Any) -> str:
        matter_id = self.call(**asked)
        self.decide(self.open_release(matter_id))
        return matter_id

    def shown(self, **asked: Any) -> tuple[str, str]:
        """A released call whose one item can be seen: the matter's id, and the copy's."""
        matter_id = self.released(**asked)

        copy_id = self.copy(matter_id)
        self.desk.run(urgents.open_view, matter_id)
        return matter_id, copy_id

    def copy(self, matter_id: str) -> str:
        """The emergency copy of the one item, as grant-emergency-view makes it; its id."""

        def make(uow: UnitOfWork) -> str:
            [item] = uow.session.query(Item).filter_by(application_id=self.case, dropped_in_round=None).all()
            attempt = attempts.start(uow, "emergency", application_id=self.case, item_id=item.id, job_key=1)
            uow.session.flush()
            sealed = {**SEALED, "bucket": attempt.bucket, "key": attempt.key}
            made = emergency.create(uow, attempt.id, matter_id, sealed)
            assert made is not None
            return made.id

        return self.desk.run(make)

    def unratified(self) -> str:
        """What was shown and not approved in time, as its jobs end it; the matter of its violation."""
        matter_id, _ = self.shown()
        self.later(hours=24)
        self.desk.run(urgents.end_view, matter_id)
        self.desk.run(urgents.open_violation, matter_id)
        return str(self.desk.the(Violation, problem_id=matter_id).matter_id)

    def file(self) -> None:
        """Approve the application, as file-application does."""
        number = str(self.desk.the(Application, id=self.case).number)

        def act(uow: UnitOfWork) -> None:
            document_service.write(uow, "application-form", number, {}, application_id=self.case)
            moot_matters.application_approved(uow, self.case)

        self.desk.run(act)

    def close_case(self, closed_as: str = "rejected") -> None:
        def act(uow: UnitOfWork) -> None:
            application = uow.session.get_one(Application, self.case)
            application.closed_at, application.closed_as = uow.now, closed_as
            moot_matters.end_of_loan(uow, self.case, closed_as)

        self.desk.run(act)

    def later(self, **time: float) -> None:
        self.desk.clock.turn(timedelta(**time))

    def view(self, copy_id: str, by: str = CALLER) -> str:
        try:
            self.desk.run(emergency.open_viewing, copy_id, purpose_confirmed=True, address="::1", by=by)
        except Refused as refusal:
            return refusal.code
        return "opens"

    def messages(self, name: str) -> list[OutboxMessage]:
        return self.desk.all(OutboxMessage, name=name)
