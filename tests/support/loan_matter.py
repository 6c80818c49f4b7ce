"""A loan, and a matter about it: asked, decided and carried out as its process would, without an engine."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from lent_case import Parts, lend, offered
from review_desk import PASSWORD, ReviewDesk

from services.database.tables.custody import HandOver
from services.database.tables.matters import Matter
from services.database.tables.outbox import OutboxMessage
from services.database.unit_of_work import UnitOfWork
from services.domain.accounts.signatures.given import Proof
from services.domain.matters import problems, service, tasks
from services.domain.reviews import filing
from services.domain.reviews import service as review_service
from services.domain.reviews.classification import Classification
from services.domain.stages.catalogue import STAGES

REASON = "原用途尚未完成。"


@dataclass
class LoanDesk:
    """A desk with one loan. ``keeper`` holds the copy, ``head`` heads the department, ``reviewer`` and
    ``security-head`` are of Security, ``operator2`` has decided nothing in the case."""

    desk: ReviewDesk
    ids: dict[str, str]
    instance: int = field(default=9000)

    @property
    def application_id(self) -> str:
        return self.ids["application_id"]

    @property
    def loan(self) -> HandOver:
        return self.desk.the(HandOver, id=self.ids["hand_over_id"])

    def later(self, days: float) -> str:
        """The due date and so many days, ISO 8601."""
        due_at = self.loan.due_at
        assert due_at is not None
        return (due_at + timedelta(days=days)).isoformat()

    def ask(self, kind: str, by: str = "keeper", **asked: Any) -> str:
        """Ask for a matter; its id."""

        def act(uow: UnitOfWork) -> str:
            proof = Proof(password=PASSWORD) if kind == "custody-transfer" else None
            return service.open_matter(uow, kind, self.application_id, {"reason": REASON, **asked}, proof).id

        return self.desk.run(act, by=by)

    def matter(self, matter_id: str) -> Matter:
        return self.desk.the(Matter, id=matter_id)

    def check(self, matter_id: str) -> tasks.Checked:
        return self.desk.run(tasks.check, matter_id, self.instance)

    def open(self, matter_id: str, stage: str) -> str:
        """Open a review of the matter, as the process does; the review's id."""
        key = next(self.desk.keys)
        return self.desk.run(
            tasks.open_review, matter_id, stage, job_key=key, process_instance_key=self.instance + key
        ).review_id

    def decide(self, matter_id: str, stage: str, by: str, outcome: str | None = None, **named: Any) -> str:
        """Open the stage and decide it; the review's id."""
        review_id = self.open(matter_id, stage)
        self.answer(review_id, matter_id, stage, by, outcome, **named)
        return review_id

    def answer(
        self, review_id: str, matter_id: str, stage: str, by: str, outcome: str | None = None, **named: Any
    ) -> None:
        given = STAGES[stage].asked_about(self.matter(matter_id).kind)
        outcome = outcome or given.favourable
        values: dict[str, Any] = {
            "answers": {question.code: True for question in given.questions},
            "proof": Proof(self.matter(matter_id).facts_sha256, PASSWORD),
            **({"reason": "理由"} if outcome in given.reason_for else {}),
            **({"opinion": "同意。"} if given.opinion_needed else {}),
            **named,
        }
        self.desk.run(review_service.decide, review_id, outcome=outcome, by=by, **values)

    def agreed(self, matter_id: str, *stages: tuple[str, str]) -> None:
        """Check the matter and let each stage decide for it: pairs of stage and person."""
        self.check(matter_id)
        for stage, by in stages:
            self.decide(matter_id, stage, by)

    def apply(self, matter_id: str) -> bool:
        return self.desk.run(tasks.apply, matter_id)

    def close(self, matter_id: str, closed_as: str) -> None:
        self.desk.run(tasks.close, matter_id, closed_as)

    def report(self, by: str = "keeper", problem: str = "wrong-camera", **asked: Any) -> str:
        """Report a problem, whose process begins; the id of the report."""
        matter_id = self.ask("problem", by, problem=problem, **asked)
        self.desk.run(problems.freeze, matter_id, self.instance)
        return matter_id

    def respond(self, matter_id: str, answer: str, by: str = "reviewer") -> None:
        """Answer a report, and do what follows from it, as the jobs do."""
        self.decide(matter_id, "problem", by, answer)
        self.desk.run(problems.answer, matter_id, "do what follows", (answer,))

    def messages(self, name: str) -> Sequence[OutboxMessage]:
        return self.desk.all(OutboxMessage, name=name)


def lent(desk: ReviewDesk, parts: Parts | None = None) -> dict[str, str]:
    """Lay out the loan, for ``prepared_desk``: its 15 days may become 30."""
    ids = lend(desk, parts or Parts())
    desk.classed(ids["application_id"], max_use_days=None)
    return ids


def awaiting(desk: ReviewDesk) -> dict[str, str]:
    """Lay out copies that are offered to ``keeper``, with the receipt that asks for them."""
    application_id = desk.submitted(subject_ids=("deputy",))
    desk.approved(application_id)
    desk.run(filing.file, application_id, Classification("ordinary", False, False, False, 15))
    desk.classed(application_id, granted_way_of_use="download", max_use_days=None)
    item_id, copy_id, hand_over_id = desk.run(offered, application_id)
    desk.opened(application_id, "receipt", hand_over_id=hand_over_id)
    return {
        "application_id": application_id,
        "item_id": item_id,
        "copy_id": copy_id,
        "hand_over_id": hand_over_id,
    }
