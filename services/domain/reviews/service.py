"""Deciding a review: what must hold, the signature, and what is written and published with it in one transaction."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select

from services.database.base import new_id
from services.database.tables.applications import Application
from services.database.tables.attachments import Attachment
from services.database.tables.custody import HandOver
from services.database.tables.matters import Matter
from services.database.tables.reviews import Confirmation, Decision, Proposal, Review
from services.database.unit_of_work import UnitOfWork
from services.domain.access import queries as access_queries
from services.domain.access.policy import all_before, people_represented, second_people, stands_in_for
from services.domain.accounts.signatures import signing as signature_signing
from services.domain.accounts.signatures.given import Proof
from services.domain.accounts.signatures.signing import Signed
from services.domain.applications import forms
from services.domain.audit import trail as audit_trail
from services.domain.notifications import service as notification_service
from services.domain.process import outbox
from services.domain.process.messages import REVIEW_DECIDED
from services.domain.reviews import effects, ending, judgements, readiness, scopes, tasks
from services.domain.reviews.given_judgements import Judgement
from services.domain.reviews.scopes import AS_ASKED, UNCHANGED, Classification, Granting
from services.domain.rules import agreed_limits
from services.domain.stages.catalogue import STAGES, Stage
from services.runtime.errors import Refused
from services.runtime.translations import Bilingual, Joined, Message, Text

RETURNED = "returned"  # the outcome that sends the form back to the applicant


@dataclass(frozen=True)
class Decided:
    """``published`` is False while the decision waits for its second person."""

    review_id: str
    outcome: str
    published: bool


def decide(
    uow: UnitOfWork,
    review_id: str,
    *,
    outcome: str,
    answers: Mapping[str, Any],
    proof: Proof,
    reason: str | None = None,
    opinion: str | None = None,
    classification: Classification = UNCHANGED,
    granting: Granting = AS_ASKED,
    judgement: Judgement = judgements.NONE,
    extra_variables: Mapping[str, str] | None = None,
) -> Decided:
    """Decide and sign the review, and notify the process; Refused where a rule forbids it.

    ``granting`` belongs to the stage security, ``judgement`` to a violation, ``extra_variables`` to the receipt, which
    ``hand_overs`` decides. A favourable release that needs a second person is stored as a proposal until ``confirm``.
    """
    review = tasks.lock_open(uow, review_id)
    matter = uow.session.get_one(Matter, review.matter_id) if review.matter_id is not None else None
    stage = STAGES[review.stage].asked_about(matter.kind if matter is not None else None)
    application = uow.session.get_one(Application, review.application_id)
    require_no_proposal(uow, review)
    tasks.require_may_decide(uow, review)
    require_form(uow, review, proof.form_sha256)
    reason, opinion = _text(reason), _text(opinion)
    check_text(stage, outcome, reason, opinion)
    check_answers(uow, review, stage, outcome, answers)
    readiness.require(uow, review, outcome)
    if review.matter_id is None:
        lowered = scopes.classify(application, stage, classification, reason)
        of_stage = _stage_variables(uow, application, stage, outcome, granting)
        judged = None
    else:
        _require_plain(classification, granting)
        judged = judgements.check(uow, review, stage, outcome, judgement)
        lowered, of_stage = [], judgements.variables_of(stage, judged)
    variables = {
        "decision": outcome,
        **of_stage,
        **(extra_variables or {}),
    }
    directory, facts = access_queries.load_directory(uow), access_queries.load_facts(uow, application.id)
    statement = {
        "kind": "decision",
        "review": review.id,
        "application": application.id,
        "number": application.number,
        **({"matter": review.matter_id, **_attached(uow, review.matter_id)} if review.matter_id else {}),
        "stage": stage.code,
        "round": review.round,
        **({"issue": review.issue} if review.issue > 1 else {}),
        "form": proof.form_sha256,
        "outcome": outcome,
        "answers": dict(answers),
        "reason": reason,
        "opinion": opinion,
        "lowered": lowered,
        "granted": [] if review.matter_id else scopes.granted(uow, application),
        "variables": variables,
        "person": uow.actor.id,
        "standsInFor": stands_in_for(directory, facts, review, uow.actor.id),
        "represented": all_before(directory, facts, review, uow.actor.id),
        "decidedAt": signature_signing.signing_moment(uow, proof).isoformat(),
        **({"judgement": judged} if judged is not None else {}),
    }
    declined = (stage.code, outcome) == ("receipt", "declined")  # nobody gets footage by it
    signed = signature_signing.sign(uow, statement, proof, level=stage.level, while_held=declined)
    _notify_represented(uow, review)
    if needs_second_person(application, review) and outcome == stage.favourable:
        return _propose(uow, review, signed)
    _write(uow, review, signed)
    return Decided(review.id, outcome, True)


def _attached(uow: UnitOfWork, matter_id: str) -> dict[str, Any]:
    """Return the attachments of the matter as they are now, which the decision is signed over."""
    query = select(Attachment.sha256).where(Attachment.matter_id == matter_id)
    hashes = sorted(uow.session.scalars(query))
    return {"attachments": hashes} if hashes else {}


def confirm(uow: UnitOfWork, review_id: str, *, agrees: bool, proof: Proof, reason: str | None = None) -> Decided:
    """Confirm a release as the second person, or disagree, and it is decided anew (R34)."""
    review = tasks.lock_open(uow, review_id)
    proposal = open_proposal(uow, review)
    if proposal is None:
        raise Refused(
            "nothing-to-confirm",
            "There is nothing to confirm: the review must be decided first.",
        )
    tasks.require_may_decide(uow, review, second=True)
    require_form(uow, review, proof.form_sha256)
    reason = _text(reason)
    if not agrees and reason is None:
        raise refused_missing("reason", Message("Enter a reason for disagreeing."))
    directory, facts = access_queries.load_directory(uow), access_queries.load_facts(uow, review.application_id)
    represented = all_before(directory, facts, review, uow.actor.id)
    statement = {
        "kind": "confirmation",
        "review": review.id,
        "form": proof.form_sha256,
        "confirms": proposal.statement_sha256,
        "agrees": agrees,
        "reason": reason,
        "person": uow.actor.id,
        "represented": [person_id for person_id in represented if person_id != proposal.person_id],
        "decidedAt": signature_signing.signing_moment(uow, proof).isoformat(),
    }
    signed = signature_signing.sign(uow, statement, proof, level=STAGES[review.stage].level)
    _notify_represented(uow, review, proposal.person_id)
    outcome = str(proposal.statement["outcome"])
    if not agrees:
        proposal.refused_by, proposal.refused_at, proposal.refused_because = uow.actor.id, uow.now, reason
        proposal.refusal_sha256, proposal.refusal_signature = signed.sha256, signed.signature
        review.claimed_by = review.claimed_at = None
        audit_trail.record(
            uow,
            "release-not-confirmed",
            "review",
            review.id,
            application_id=review.application_id,
            **signed.event_fields,
        )
        notification_service.notify(
            uow,
            proposal.person_id,
            "release-not-confirmed",
            application_id=review.application_id,
            subject_id=review.id,
        )
        return Decided(review.id, outcome, False)
    uow.session.add(
        Confirmation(
            review_id=review.id,
            person_id=uow.actor.id,
            confirmed_at=uow.now,
            statement_sha256=signed.sha256,
            signature=signed.signature,
        )
    )
    audit_trail.record(
        uow,
        "release-confirmed",
        "review",
        review.id,
        application_id=review.application_id,
        **signed.event_fields,
    )
    _write(uow, review, Signed(proposal.statement_sha256, proposal.statement, proposal.signature))
    return Decided(review.id, outcome, True)


def needs_second_person(application: Application, review: Review) -> bool:
    return review.stage == "storage-release" and bool(application.second_person)


def open_proposal(uow: UnitOfWork, review: Review) -> Proposal | None:
    """Return the signed release that waits for its second person."""
    return uow.session.scalar(
        select(Proposal).where(Proposal.review_id == review.id, Proposal.refused_by.is_(None)).limit(1)
    )


def _notify_represented(uow: UnitOfWork, review: Review, *signers: str) -> None:
    """Notify those in charge, besides ``signers``, that a substitute has signed in their place."""
    directory, facts = access_queries.load_directory(uow), access_queries.load_facts(uow, review.application_id)
    for person_id in people_represented(directory, facts, review, uow.actor.id):
        if person_id not in signers:
            notification_service.notify(
                uow,
                person_id,
                "signed-in-your-place",
                application_id=review.application_id,
                subject_id=review.id,
            )


def _propose(uow: UnitOfWork, review: Review, signed: Signed) -> Decided:
    uow.session.add(
        Proposal(
            review_id=review.id,
            person_id=uow.actor.id,
            proposed_at=uow.now,
            statement=signed.statement,
            statement_sha256=signed.sha256,
            signature=signed.signature,
        )
    )
    uow.session.flush()
    audit_trail.record(
        uow,
        "release-proposed",
        "review",
        review.id,
        application_id=review.application_id,
        **signed.event_fields,
    )
    # the actor has just become the one who released it, and is nobody's second person
    for person_id in second_people(
        access_queries.load_directory(uow), access_queries.load_facts(uow, review.application_id), review
    ):
        notification_service.notify(
            uow, person_id, "second-person-needed", application_id=review.application_id, subject_id=review.id
        )
    return Decided(review.id, str(signed.statement["outcome"]), False)


def _write(uow: UnitOfWork, review: Review, signed: Signed) -> None:
    """Write the decision, close the review, notify process and drafter."""
    statement = signed.statement
    application = uow.session.get_one(Application, review.application_id)
    outcome, stage = str(statement["outcome"]), STAGES[review.stage]
    decision = Decision(
        id=new_id(),
        review_id=review.id,
        application_id=application.id,
        matter_id=review.matter_id,
        stage=stage.code,
        round=review.round,
        issue=review.issue,
        outcome=outcome,
        decided_by=statement["person"],
        stands_in_for=statement["standsInFor"],
        decided_at=uow.now,
        answers=statement["answers"],
        reason=statement["reason"],
        opinion=statement["opinion"],
        variables=statement["variables"],
        judgement=statement.get("judgement"),
        form_sha256=statement["form"],
        statement_sha256=signed.sha256,
        signature=signed.signature,
    )
    uow.session.add(decision)
    tasks.end(uow, review, "decided")
    of_application = review.matter_id is None
    if of_application and stage.code == "preliminary" and outcome == stage.favourable:
        # T1: from here on the department is the applicant, in the person of its head (R16)
        audit_trail.record(
            uow,
            "department-became-applicant",
            "department",
            application.department_id,
            application_id=application.id,
            decision=decision.id,
        )
    if of_application and outcome == RETURNED:
        application.correction_until = uow.now + agreed_limits.get_correction_period(uow, application)
    detail: dict[str, Any] = {
        "stage": stage.code,
        "round": review.round,
        "outcome": outcome,
        "form": decision.form_sha256,
        **signed.event_fields,
        "lowered": statement["lowered"],
        "stands_in_for": decision.stands_in_for,
    }
    if of_application:
        audit_trail.record(uow, "review-decided", "review", review.id, application_id=application.id, **detail)
    else:  # a verifier reads each "review-decided" as a decision on the form
        detail["matter"] = review.matter_id
        audit_trail.record(uow, "matter-decided", "review", review.id, application_id=application.id, **detail)
    outbox.publish(
        uow,
        REVIEW_DECIDED,
        review.id,
        application_id=application.id,
        matter_id=review.matter_id,
        message_id=decision.id,
        variables=decision.variables,
    )
    tasks.answer_siblings(uow, review, decision)
    effects.apply(uow, review, outcome)
    if not of_application:
        return  # whoever asked hears what became of the matter when it is closed
    ending.close_passed(uow, application.id)
    if review.stage == "management":
        notification_service.mark_done(uow, "management", application_id=application.id)
    if review.stage == "storage-release":
        notification_service.mark_done(uow, "preparation", application_id=application.id)
    if review.stage != "receipt":
        notification_service.mark_done(uow, "progress", application_id=application.id)
        notification_service.notify(
            uow,
            application.drafter_id,
            f"decided:{stage.code}:{outcome}",
            application_id=application.id,
            subject_id=review.id,
        )


def _stage_variables(
    uow: UnitOfWork, application: Application, stage: Stage, outcome: str, granting: Granting
) -> dict[str, Any]:
    """Return the process variables besides the outcome, never null; store what Security grants."""
    approves = outcome == stage.favourable
    if granting != AS_ASKED and not (stage.code == "security" and approves):
        raise Refused(
            "grants-elsewhere",
            "Scope, use period and way of use can only be set when Security approves.",
            status=422,
        )
    variables: dict[str, Any] = {}
    marks = {
        "importantInformation": application.important_information,
        "sensitiveEvent": application.sensitive_event,
        "highImpact": application.high_impact,
    }
    variables |= {name: value for name, value in marks.items() if name in stage.returns}
    if stage.code == "security":
        days = scopes.use_days(uow, application, granting.use_period_days)
        way = scopes.way_of_use(uow, application, granting.way_of_use, approves=approves)
        if approves:
            scopes.narrow(uow, application, granting.scope, granting.removed)
            application.granted_use_days, application.granted_way_of_use = days, way
        variables |= {"usePeriodDays": days, "wayOfUse": way}
    return variables


def require_no_proposal(uow: UnitOfWork, review: Review) -> None:
    """Raise Refused where the release is signed and waits for its second person."""
    if open_proposal(uow, review) is not None:
        raise Refused(
            "second-person-needed",
            "It is decided and waiting for confirmation by the second person.",
        )


def _text(text: str | None) -> str | None:
    return (text or "").strip() or None


def _require_plain(classification: Classification, granting: Granting) -> None:
    """Raise Refused where a decision about a matter would change the application's class or scope."""
    if classification != UNCHANGED or granting != AS_ASKED:
        raise Refused(
            "not-the-application",
            "This decision is not about the application: its class and scope cannot be changed here.",
            status=422,
        )


def require_form(uow: UnitOfWork, review: Review, form_sha256: str) -> None:
    """Raise Refused unless the person has read the form, or the facts of the matter, that the review is about (R25)."""
    if review.matter_id is not None:
        if uow.session.get_one(Matter, review.matter_id).facts_sha256 != form_sha256:
            raise _changed(Message("The facts have changed since you read them: read them again, then sign."))
        return
    revision = forms.current_revision(uow, review.application_id)
    if revision is None or revision.round != review.round or revision.sha256 != form_sha256:
        raise _changed(Message("The form has changed since you read it: read it again, then sign."))


def _changed(sentence: Message) -> Refused:
    return Refused("form-changed", sentence, status=409, field="formSha256")


def check_text(stage: Stage, outcome: str, reason: str | None, opinion: str | None) -> None:
    """Raise Refused for an unknown outcome, and without the texts that the outcome needs (R24, R27)."""
    if outcome not in stage.outcomes:
        raise Refused(
            "outcome",
            "Possible outcomes at this stage: {outcomes}.",
            status=422,
            field="outcome",
            outcomes=Joined(", ", stage.outcomes),
        )
    if outcome in stage.reason_for and reason is None:
        raise refused_missing("reason", Message("Enter a reason."))
    if stage.opinion_needed and opinion is None:
        raise refused_missing("opinion", Message("Enter your opinion: it is required for the management decision."))


def check_answers(uow: UnitOfWork, review: Review, stage: Stage, outcome: str, answers: Mapping[str, Any]) -> None:
    """Raise Refused for an unknown question, a missing answer, or one that contradicts the outcome (R22).

    A form that is sent back is decided anew when it is corrected, so its outcome needs a reason and no answers.
    """
    if stage.code == "receipt":
        _check_receipt(uow, review, outcome)
        return
    for code in answers:
        if code not in {question.code for question in stage.questions}:
            raise refused_missing(f"answers.{code}", Message("This question does not exist: remove it."))
    for question in stage.questions:
        answer = answers.get(question.code)
        if answer is None and outcome == RETURNED:
            continue
        if not isinstance(answer, bool):
            raise refused_missing(
                f"answers.{question.code}", Message("Answer: {question}", question=Bilingual(question.zh, question.en))
            )
        if outcome == stage.favourable and question.yes_to_approve and not answer:
            raise Refused(
                "answer-contradicts",
                "With the answer “No” to “{question}” the review cannot pass: change the outcome or the answer.",
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
            "Accept or decline the copies on the hand-over page.",
        )


def refused_missing(field: str, message: Text) -> Refused:
    """Return a field that is missing, as a refusal."""
    return Refused("missing", message, status=422, field=field)
