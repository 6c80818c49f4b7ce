"""What a case allows a job to do now, by the rows of the database alone (docs/process.md, "What a job may do").

The engine is not trusted: it may send any job, in any order, with any variables, as often as it likes. An act of a
worker loads the state of its case here, which locks it, and refuses what the state does not allow.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select

from services.database.tables.applications import Application, Item
from services.database.tables.audit import AuditEvent
from services.database.tables.custody import HandOver
from services.database.tables.documents import Document
from services.database.tables.returns import Inspection
from services.database.tables.reviews import Decision, Review
from services.database.unit_of_work import UnitOfWork
from services.domain.stages.catalogue import STAGES
from services.runtime.errors import NotPermitted, Retryable

# The engine's clock may run ahead of the database's by so much.
CLOCKS_APART = timedelta(minutes=5)
# People hear of the same thing once in so long, however many jobs remind them: timers do so daily.
REMINDERS_APART = timedelta(hours=12)
# A changed instance may ask a question anew while the old one is open; a flood of jobs asks no more than these.
MOST_OPEN_REVIEWS = 3
RETRIEVED = ("complete", "partial")
RETURNED = "returned"
# The policy's order of its own stages of approval.
ORDER = ("preliminary", "security", "security-signature", "management")
CREDENTIALS = "credentials"  # Security's look at cards and letter, in the place of the department's review
FIRST = ("preliminary", CREDENTIALS)
CORRECTION_EXPIRED = "correction-expired"  # the action in the audit trail


@dataclass(frozen=True)
class CaseState:
    """One submitted case: its items in scope, its loan, and of this round the form and each stage's decision.

    Where copies had to be replaced, the loan is that of the present issue, None until it is offered, and what was
    decided about the retrieval and the copies of an earlier issue counts no more; the approval does (R44).

    Of a stage that was decided more than once the last unfavourable decision counts, and the last one without any:
    asking again overrides no "no".
    """

    application: Application
    decisions: Mapping[str, Decision]
    form: Document | None
    items: Sequence[Item]
    hand_over: HandOver | None
    inspected: bool
    expired: bool  # the time to correct it ended without a correction

    @property
    def order(self) -> tuple[str, ...]:
        """The policy's stages of approval of this case, in their order."""
        return order_of(self.application)

    def has_ended_with(self, stage: str) -> bool:
        """Return whether the stage was decided favourably in this round."""
        decision = self.decisions.get(stage)
        return decision is not None and decision.outcome == STAGES[stage].favourable

    def rejected_in(self, phase: str) -> str | None:
        """Return a stage of the phase whose answer ends the case, or None."""
        for stage, decision in self.decisions.items():
            if STAGES[stage].phase == phase and decision.outcome not in (STAGES[stage].favourable, RETURNED):
                return stage
        return None

    @property
    def returned(self) -> bool:
        """Whether the application was sent back in this round."""
        sent_back = any(decision.outcome == RETURNED for decision in self.decisions.values())
        return sent_back or self.expired or self.application.correction_until is not None

    @property
    def retrieved(self) -> list[Item]:
        return [item for item in self.items if item.outcome in RETRIEVED]


def order_of(application: Application) -> tuple[str, ...]:
    """Return the policy's stages of approval in their order: on behalf of outsiders their credentials come first."""
    return ORDER if application.on_behalf is None else (CREDENTIALS, *ORDER[1:])


def refusal(act: str, application_id: str, cause: str) -> NotPermitted:
    return NotPermitted(
        f"could not {act} | application {application_id} | {cause} | find out who sent this job; where the case is to "
        "go on, remove the cause, then resolve the incident"
    )


def lock(uow: UnitOfWork, application_id: str, act: str) -> CaseState:
    """Load the case, locked; NotPermitted where nobody has submitted it."""
    return _load(uow, application_id, act, locked=True)


def read(uow: UnitOfWork, application_id: str) -> CaseState:
    """Load a submitted case to show what can be done; whoever acts locks it."""
    return _load(uow, application_id, "read the case", locked=False)


def _load(uow: UnitOfWork, application_id: str, act: str, *, locked: bool) -> CaseState:
    application = uow.session.get(Application, application_id, with_for_update=locked, populate_existing=locked)
    if application is None:
        raise refusal(act, application_id, "the database does not have it")
    if application.submitted_at is None or application.number is None:
        raise refusal(act, application_id, "it was never submitted")
    decided = (
        select(Decision)
        .where(
            Decision.application_id == application_id,
            Decision.matter_id.is_(None),
            Decision.round == application.round,
        )
        .order_by(Decision.decided_at, Decision.id)
    )
    items = select(Item).where(Item.application_id == application_id, Item.dropped_in_round.is_(None))
    of_loan = select(Inspection.id).where(Inspection.hand_over_id == HandOver.id).correlate(HandOver).exists()
    loan = select(HandOver, of_loan).where(
        HandOver.application_id == application_id, HandOver.issue == application.issue
    )
    if locked:
        loan = loan.with_for_update().execution_options(populate_existing=True)
    hand_over, inspected = uow.session.execute(loan).one_or_none() or (None, False)
    return CaseState(
        application,
        _by_stage(row for row in uow.session.scalars(decided) if _counts(row, application)),
        _form(uow, application),
        list(uow.session.scalars(items.order_by(Item.position))),
        hand_over,
        inspected,
        _has_expired(uow, application_id),
    )


def _counts(decision: Decision, application: Application) -> bool:
    """Return whether a decision of this round is about the present issue of the copies, or about the approval."""
    return decision.issue == application.issue or STAGES[decision.stage].phase == "approval"


def _by_stage(decided: Iterable[Decision]) -> dict[str, Decision]:
    """Return what counts of each stage of decisions that are ordered, the oldest first."""
    counts: dict[str, Decision] = {}
    for decision in decided:
        favourable, known = STAGES[decision.stage].favourable, counts.get(decision.stage)
        if known is None or known.outcome == favourable or decision.outcome != favourable:
            counts[decision.stage] = decision
    return counts


def form_number(application: Application) -> str:
    """Return the number of this round's form."""
    return str(application.number) if application.round == 0 else f"{application.number}/{application.round}"


def require_running(state: CaseState, act: str) -> None:
    """Raise NotPermitted for a closed case; Retryable for a withdrawn one, whose process ends when it hears of it."""
    application = state.application
    if application.closed_at is not None:
        raise refusal(act, application.id, f"the case is closed as {application.closed_as}")
    if application.withdrawn_at is not None:
        raise Retryable(
            f"could not {act} | application {application.id} | the application was withdrawn | "
            "wait: the process takes this job back when it hears of it"
        )


def lock_approval(uow: UnitOfWork, application_id: str, act: str) -> CaseState:
    """Load a case that is being approved: it runs, and this round's form is not filed yet."""
    state = lock(uow, application_id, act)
    require_running(state, act)
    if state.form is not None or state.hand_over is not None:
        raise refusal(act, application_id, f"its approval has ended in round {state.application.round}")
    rejected = state.rejected_in("approval")
    if rejected is not None:
        raise refusal(act, application_id, f"it was rejected at the stage {rejected}")
    return state


def is_preserved(state: CaseState) -> bool:
    """Return whether footage of the case is still preserved: until its retrieval begins, and not once it is to end."""
    application = state.application
    ended = application.closed_at is not None or application.withdrawn_at is not None or state.expired
    begun = state.has_ended_with("storage-release") or state.hand_over is not None
    return not (ended or begun or state.rejected_in("approval") or state.rejected_in("retrieval"))


def require_undecided(state: CaseState, act: str, *stages: str) -> None:
    """Raise NotPermitted once one of the stages is decided in this round: people decided on what was found before."""
    decided = next((stage for stage in stages if stage in state.decisions), None)
    if decided is not None:
        raise refusal(
            act, state.application.id, f"the stage {decided} is decided in this round, on what was found before"
        )


def lock_filed(uow: UnitOfWork, application_id: str, act: str) -> CaseState:
    """Load a case that runs, that nobody has rejected or sent back, and whose form of this round is filed (R29)."""
    state = lock(uow, application_id, act)
    require_running(state, act)
    require_filed(state, act)
    return state


def require_filed(state: CaseState, act: str) -> None:
    """Raise NotPermitted unless this round's approved form is filed, and nobody has stopped the case since (R29)."""
    if state.form is None:
        raise refusal(
            act,
            state.application.id,
            f"there is no filed approved form of round {state.application.round}, and nothing is retrieved without one "
            "(R29)",
        )
    if (stage := state.rejected_in("retrieval")) is not None:
        raise NotPermitted(
            f"could not {act} | application {state.application.id} | what was retrieved was refused at the stage "
            f"{stage}, so the case ends without a copy (R32) | cancel this job: where the footage "
            "is wanted all the same, the department applies anew"
        )
    stopped = next(_stopped(state), None)
    if stopped is not None:
        raise refusal(act, state.application.id, stopped)


def lock_released(uow: UnitOfWork, application_id: str, item_id: str, act: str) -> tuple[CaseState, Item]:
    """Load a case that the storage office has released, and an item of its scope (R33)."""
    item = uow.session.get(Item, item_id)
    if item is None or item.application_id != application_id:
        raise refusal(act, application_id, f"the database does not have its item {item_id}")
    state = lock_filed(uow, application_id, act)
    require_released(state, act)
    if item.dropped_in_round is not None:
        raise refusal(act, application_id, f"the item {item_id} was dropped from it")
    return state, item


def require_released(state: CaseState, act: str) -> None:
    """Raise NotPermitted unless the storage office has released the footage in this round (R33)."""
    if not state.has_ended_with("storage-release"):
        raise refusal(
            act,
            state.application.id,
            "no operator has released it in this round, and only the storage office releases footage (R33)",
        )


def require_accepted(state: CaseState, act: str) -> None:
    """Raise NotPermitted unless all items in scope are retrieved, or what there is was accepted (R32, R35)."""
    application_id = state.application.id
    open_items = [item.id for item in state.items if item.outcome is None]
    if open_items:
        raise refusal(act, application_id, f"the item {open_items[0]} is not retrieved yet")
    if not state.retrieved:
        raise refusal(act, application_id, "nothing of it was retrieved")
    if any(map(lacks, state.items)) and not state.has_ended_with("partial-footage"):
        raise refusal(act, application_id, "its footage is partial, and nobody has accepted that (R32)")


def require_stage(uow: UnitOfWork, state: CaseState, stage: str, hand_over_id: str | None) -> None:
    """Raise NotPermitted unless the case asks this question now.

    The stages that designers have added are asked anywhere in their phase.
    """
    act = f"open the review {stage}"
    cause = next(_unready(state, stage, hand_over_id), None)
    if cause is not None:
        raise refusal(act, state.application.id, cause)
    asked = select(Review.id).where(
        Review.application_id == state.application.id,
        Review.matter_id.is_(None),
        Review.stage == stage,
        Review.closed_at.is_(None),
    )
    if len(uow.session.scalars(asked).all()) >= MOST_OPEN_REVIEWS:
        raise refusal(act, state.application.id, "it is asked already, and nobody has answered yet")


def _unready(state: CaseState, stage: str, hand_over_id: str | None) -> Iterator[str]:
    """Yield why the case does not ask the question of the stage now."""
    phase = STAGES[stage].phase
    yield from _past(state, stage)
    if phase in ("approval", "retrieval") and state.hand_over is not None:
        yield "its copies were offered already"
    match phase:
        case "approval":
            yield from _not_approving(state, stage)
        case "retrieval":
            yield from _not_retrieving(state, stage)
        case "custody":
            yield from _not_offered(state, hand_over_id)
        case "return":
            if state.hand_over is None or state.hand_over.returned_at is None or not state.inspected:
                yield "its copies were not returned and inspected"


def is_past(uow: UnitOfWork, review: Review) -> bool:
    """Return whether the case has gone on without the answer to an open question: none changes it any more.

    The engine may open several questions beforehand, and people answer them in any order.
    """
    return passed(lock(uow, review.application_id, f"decide the review {review.stage}"), review)


def passed(state: CaseState, review: Review) -> bool:
    """Return the same of a case that is loaded."""
    application = state.application
    replaced = review.issue != application.issue and STAGES[review.stage].phase != "approval"
    return review.round != application.round or replaced or next(_past(state, review.stage), None) is not None


def _past(state: CaseState, stage: str) -> Iterator[str]:
    """Yield why an answer to the question of the stage has nothing left to decide."""
    answer, phase = state.decisions.get(stage), STAGES[stage].phase
    if answer is not None and answer.outcome != STAGES[stage].favourable:
        yield f"the stage {stage} has ended with {answer.outcome!r} in this round"
    if phase in ("approval", "retrieval"):
        yield from _stopped(state)
    if stage in state.order:
        if state.form is not None:
            yield "the approved form of this round is filed already"
        later = [after for after in state.order[state.order.index(stage) + 1 :] if after in state.decisions]
        if later:
            yield f"the stage {later[0]}, which follows it, is decided in this round"
    if stage == "storage-release" and state.has_ended_with(stage):
        yield "it was released already"


def _stopped(state: CaseState) -> Iterator[str]:
    """Yield why a case goes on with neither its approval nor its retrieval in this round."""
    for phase in ("approval", "retrieval"):
        rejected = state.rejected_in(phase)
        if rejected is not None:
            yield f"it was rejected at the stage {rejected}"
    if state.returned:
        yield "it was sent back and waits for its correction"


def _not_approving(state: CaseState, stage: str) -> Iterator[str]:
    if state.form is not None:
        yield "the approved form of this round is filed already"
    if stage in FIRST and stage not in state.order:
        yield f"it begins with the stage {state.order[0]}: on behalf of outsiders the credentials are checked first"
    before = dict(zip(state.order[1:], state.order, strict=False)).get(stage)
    if before is not None and not state.has_ended_with(before):
        yield f"the stage {before} has not ended favourably in this round"


def _not_retrieving(state: CaseState, stage: str) -> Iterator[str]:
    if state.form is None:
        yield "the approved form of this round is not filed"
    if stage == "partial-footage":
        yield from _whole(state)


def lacks(item: Item) -> bool:
    """Whether somebody has to accept what lacks of an item."""
    return item.outcome != "complete" and not item.loss_accepted


def _whole(state: CaseState) -> Iterator[str]:
    """Yield why there is nothing to ask about partial footage."""
    if not state.has_ended_with("storage-release"):
        yield "the storage office has not released it"
    if any(item.outcome is None for item in state.items):
        yield "not all its items are retrieved yet"
    if not state.retrieved or not any(map(lacks, state.items)):
        yield "none of its footage is partial"


def _not_offered(state: CaseState, hand_over_id: str | None) -> Iterator[str]:
    hand_over = state.hand_over
    if hand_over is None or hand_over.id != hand_over_id:
        yield f"the hand-over {hand_over_id} is not its own"
    elif hand_over.accepted_at or hand_over.declined_at or hand_over.ended_at:
        yield "its copies were accepted or declined, or their offer has ended"


def releases(uow: UnitOfWork, state: CaseState) -> set[str]:
    """Return the ways in which the case may end without a loan, each with its reason in the rows.

    Once somebody has accepted the copies there is none: a loan ends with its return, or with its loss.
    """
    application, hand_over = state.application, state.hand_over
    if hand_over is not None:
        recalled = hand_over.ended_at is not None
        over = hand_over.declined_at is not None or recalled or is_over(uow, hand_over.take_up_until)
        return {"not-taken-up"} if over and hand_over.accepted_at is None else set()
    reasons = {
        "withdrawn": application.withdrawn_at is not None,
        "rejected": state.rejected_in("approval") is not None,
        "expired": state.expired,
        "unavailable": state.rejected_in("retrieval") is not None
        or (bool(state.items) and not state.retrieved and all(item.outcome is not None for item in state.items)),
    }
    return {outcome for outcome, holds in reasons.items() if holds}


def require_due(uow: UnitOfWork, review: Review) -> None:
    """Raise NotPermitted before the limit of the review."""
    if not is_over(uow, review.due_at):
        raise refusal(
            "widen the review", review.application_id, f"the review {review.id} is due on {review.due_at.isoformat()}"
        )


def is_over(uow: UnitOfWork, until: datetime) -> bool:
    """Return whether a moment that a timer of the engine waits for has come, by the database's clock."""
    return uow.now >= until - CLOCKS_APART


def _has_expired(uow: UnitOfWork, application_id: str) -> bool:
    """Return whether ``applications.opening.expire`` has ended the time to correct; no correction comes after."""
    query = select(AuditEvent.seq).where(
        AuditEvent.application_id == application_id, AuditEvent.action == CORRECTION_EXPIRED
    )
    return uow.session.scalar(query.limit(1)) is not None


def _form(uow: UnitOfWork, application: Application) -> Document | None:
    return uow.session.scalar(
        select(Document).where(
            Document.application_id == application.id,
            Document.kind == "application-form",
            Document.number == form_number(application),
        )
    )
