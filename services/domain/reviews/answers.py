"""What an answer to a review must be: bound to the form that was read, complete, and free of contradiction."""

from collections.abc import Mapping
from typing import Any

from services.database.tables.custody import HandOver
from services.database.tables.reviews import Review
from services.database.unit_of_work import UnitOfWork
from services.domain.applications import forms
from services.domain.stages.catalogue import Stage
from services.runtime.errors import Refused
from services.runtime.translations import Bilingual, Joined, Message, Text


def require_form(uow: UnitOfWork, review: Review, form_sha256: str) -> None:
    """Refused unless the person has read the form that the review is about (R25)."""
    revision = forms.current_revision(uow, review.application_id)
    if revision is None or revision.round != review.round or revision.sha256 != form_sha256:
        raise Refused(
            "form-changed",
            "The form is not the one you read: read it again, then sign.",
            field="formSha256",
        )


def check_text(stage: Stage, outcome: str, reason: str | None, opinion: str | None) -> None:
    """Refused for an outcome that the stage does not have, and without the words that the outcome needs (R24, R27)."""
    if outcome not in stage.outcomes:
        raise Refused(
            "outcome",
            "This stage is decided with one of: {outcomes}.",
            status=422,
            field="outcome",
            outcomes=Joined(", ", stage.outcomes),
        )
    if outcome in stage.reason_for and reason is None:
        raise refused_missing("reason", Message("Say why."))
    if stage.opinion_needed and opinion is None:
        raise refused_missing("opinion", Message("Write your opinion: management decides with one."))


def check_answers(uow: UnitOfWork, review: Review, stage: Stage, outcome: str, answers: Mapping[str, Any]) -> None:
    """Refused unless every question is answered for itself, and a favourable outcome has no answer against it (R22)."""
    if stage.code == "receipt":
        _check_receipt(uow, review, outcome)
        return
    for code in answers:
        if code not in {question.code for question in stage.questions}:
            raise refused_missing(f"answers.{code}", Message("There is no such question: leave it out."))
    for question in stage.questions:
        answer = answers.get(question.code)
        if not isinstance(answer, bool):
            raise refused_missing(
                f"answers.{question.code}", Message("Answer: {question}", question=Bilingual(question.zh, question.en))
            )
        if outcome == stage.favourable and question.yes_to_approve and not answer:
            raise Refused(
                "answer-contradicts",
                "With a no to “{question}” it cannot pass: change the outcome or the answer.",
                status=422,
                field=f"answers.{question.code}",
                question=Bilingual(question.zh, question.en),
            )


def _check_receipt(uow: UnitOfWork, review: Review, outcome: str) -> None:
    """The receipt is decided where the copies are accepted: with agreement, conditions and due date (R46)."""
    hand_over = uow.session.get(HandOver, review.hand_over_id) if review.hand_over_id else None
    done = hand_over is not None and (hand_over.accepted_at if outcome == "accepted" else hand_over.declined_at)
    if not done:
        raise Refused(
            "receipt-elsewhere",
            "Accept or decline the copies on the page of the hand-over.",
        )


def refused_missing(field: str, message: Text) -> Refused:
    """A field that is missing, as a refusal."""
    return Refused("missing", message, status=422, field=field)
