"""What an answer to a review must be: bound to the form that was read, complete, and free of contradiction."""

from collections.abc import Mapping
from typing import Any

from services.database.tables.custody import HandOver
from services.database.tables.reviews import Review
from services.database.unit_of_work import UnitOfWork
from services.domain.applications import forms
from services.domain.stages.catalogue import Stage
from services.runtime.errors import Refused


def require_form(uow: UnitOfWork, review: Review, form_sha256: str) -> None:
    """Refused unless the person has read the form that the review is about (R25)."""
    revision = forms.current_revision(uow, review.application_id)
    if revision is None or revision.round != review.round or revision.sha256 != form_sha256:
        raise Refused(
            "form-changed",
            "申请表已更新，请重新阅读后再签字。",
            "The form is not the one you read: read it again, then sign.",
            field="formSha256",
        )


def check_words(stage: Stage, outcome: str, reason: str | None, opinion: str | None) -> None:
    """Refused for an outcome that the stage does not have, and without the words that the outcome needs (R24, R27)."""
    if outcome not in stage.outcomes:
        raise Refused(
            "outcome",
            f"此环节的结论只能是：{'、'.join(stage.outcomes)}。",
            f"This stage is decided with one of: {', '.join(stage.outcomes)}.",
            status=422,
            field="outcome",
        )
    if outcome in stage.reason_for and reason is None:
        raise missing("reason", "请写明理由。", "Say why.")
    if stage.opinion_needed and opinion is None:
        raise missing("opinion", "请签署审批意见。", "Write your opinion: management decides with one.")


def check_answers(uow: UnitOfWork, review: Review, stage: Stage, outcome: str, answers: Mapping[str, Any]) -> None:
    """Refused unless every question is answered for itself, and a favourable outcome has no answer against it (R22)."""
    if stage.code == "receipt":
        _check_receipt(uow, review, outcome)
        return
    for code in answers:
        if code not in {question.code for question in stage.questions}:
            raise missing(f"answers.{code}", "没有这个问题，请删去。", "There is no such question: leave it out.")
    for question in stage.questions:
        answer = answers.get(question.code)
        if not isinstance(answer, bool):
            raise missing(f"answers.{question.code}", f"请回答：{question.zh}", f"Answer: {question.en}")
        if outcome == stage.favourable and question.yes_to_approve and not answer:
            raise Refused(
                "answer-contradicts",
                f"对“{question.zh}”回答“否”时不能通过，请更改结论。",
                f"With a no to “{question.en}” it cannot pass: change the outcome or the answer.",
                status=422,
                field=f"answers.{question.code}",
            )


def _check_receipt(uow: UnitOfWork, review: Review, outcome: str) -> None:
    """The receipt is decided where the copies are accepted: with agreement, conditions and due date (R46)."""
    hand_over = uow.session.get(HandOver, review.hand_over_id) if review.hand_over_id else None
    done = hand_over is not None and (hand_over.accepted_at if outcome == "accepted" else hand_over.declined_at)
    if not done:
        raise Refused(
            "receipt-elsewhere",
            "请在移交页面签收或拒收副本。",
            "Accept or decline the copies on the page of the hand-over.",
        )


def missing(field: str, zh: str, en: str) -> Refused:
    """A field that is missing, as a refusal."""
    return Refused("missing", zh, en, status=422, field=field)
