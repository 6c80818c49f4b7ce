"""What the jobs of a problem report do, and who else reports: the answer is in the database, never in the job."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from services.database.tables.matters import Matter
from services.database.tables.reviews import Decision
from services.database.unit_of_work import UnitOfWork
from services.domain.custody import hand_overs, suspensions
from services.domain.custody import log as custody_log
from services.domain.matters import service, tasks
from services.domain.matters.kinds import problem as kind
from services.domain.matters.permissions import bind_instance, decisions_of, lock, refusal, require_signed
from services.domain.process import outbox
from services.domain.process.messages import PROBLEM_REPORTED
from services.runtime.translations import Message

ANSWERED = "answered"
OF_LOANS = ("copy", "master")  # the objects whose damage is a problem of a loan


def freeze(uow: UnitOfWork, matter_id: str, process_instance_key: int) -> None:
    """Confirm the freeze that the report has made, for the one process that handles it; a second run changes nothing.

    Raises NotPermitted for a matter that is no problem report, and for another process instance.
    """
    act = "freeze the loan"
    subject = lock(uow, matter_id, act)
    matter, hand_over = subject.matter, subject.state.hand_over
    _require_report(matter, act)
    bind_instance(matter, process_instance_key, act)
    outbox.settle(uow, matter.application_id, "the loan is frozen", PROBLEM_REPORTED, matter_id=matter.id)
    # what has lifted the freeze, an answer or a violation, is not undone
    if matter.closed_at is None and hand_over is not None and not kind.list_freezes(uow, matter):
        suspensions.open_once(uow, hand_over, suspensions.PROBLEM, matter.id)


def answer(uow: UnitOfWork, matter_id: str, act: str, answers: Collection[str]) -> Mapping[str, Any]:
    """Do what follows from Security's answer, once, and close the report; what was done, or nothing where it is moot.

    ``answers``: those that the job is for. Raises NotPermitted unless Security has given one of them, signed over the
    facts of the report.
    """
    subject = lock(uow, matter_id, act)
    matter = subject.matter
    _require_report(matter, act)
    if matter.closed_at is not None:
        given = (matter.outcome or {}).get("answer")
        if matter.closed_as == ANSWERED and given not in answers:
            raise refusal(matter, act, f"it was answered {given}")
        return matter.outcome or {} if matter.closed_as == ANSWERED else {}
    decision = _require_answer(uow, matter, act, answers)
    done = tasks.carry_out(
        uow, subject, [decision], action="problem-answered", closed_as=ANSWERED, answer=decision.outcome
    )
    return done or {}


def report_loss(uow: UnitOfWork, hand_over_id: str, *, kind_of_loss: str, what_happened: str) -> None:
    """Report what has happened to copies as their custodian (R48).

    A loss ends the loan at once. Damage and a leak are problems, which Security answers while the copies are frozen.
    """
    hand_over = custody_log.get_mine(uow, hand_over_id)
    if kind_of_loss not in kind.PROBLEMS:
        hand_overs.report_loss(uow, hand_over_id, kind=kind_of_loss, what_happened=what_happened)
        return
    hand_overs.require_held(hand_over)
    asked = {"problem": kind_of_loss, "reason": what_happened}
    service.open_matter(uow, kind.ProblemReport.code, hand_over.application_id, asked)


def report_damage(uow: UnitOfWork, application_id: str, damaged: Sequence[Mapping[str, Any]]) -> Matter | None:
    """Report damage that an integrity check has found in footage on loan, in the name of the system.

    ``damaged``: lines of the check. None where nobody holds the copies, and while another report is open.
    """
    found = [one for one in damaged if one["kind"] in OF_LOANS]
    if not found:
        return None
    message = Message(
        "An integrity check has found damage: {objects}.",
        objects=", ".join(f"{one['kind']} {one['of']}: {' '.join(one['faults'])}" for one in found),
    )
    copy_ids = {one["id"] for one in found if one["kind"] == "copy"}
    asked = {
        "problem": "damaged",
        "reason": f"{message.zh} {message.en}",
        **({"copyId": copy_ids.pop()} if len(copy_ids) == len(found) == 1 else {}),
    }
    return service.open_by_system(uow, kind.ProblemReport.code, application_id, asked)


def _require_report(matter: Matter, act: str) -> None:
    if matter.kind != kind.ProblemReport.code:
        raise refusal(matter, act, f"it is no problem report but {matter.kind}")


def _require_answer(uow: UnitOfWork, matter: Matter, act: str, answers: Collection[str]) -> Decision:
    decisions = decisions_of(uow, matter)
    require_signed(matter, decisions, act)
    decision = decisions.get(kind.STAGE)
    if decision is None:
        raise refusal(matter, act, "Security has not answered it")
    if decision.outcome not in answers:
        raise refusal(matter, act, f"Security has answered {decision.outcome}")
    return decision
