"""The checks of the system that a checklist can name: one function each, over the rows of one case (R63).

Each answers yes where all is in order, no with what it has seen, "not applicable" where the case never came so far,
and None where it cannot tell. None of them decides: the member confirms or overrules it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Literal

from services.database.tables.custody import HandOver
from services.domain.process import permissions
from services.domain.stages.catalogue import STAGES
from services.domain.supervision.case_evidence import CaseEvidence

Answer = Literal["yes", "no", "not-applicable"]
YES: Answer = "yes"
NO: Answer = "no"
NOT_APPLICABLE: Answer = "not-applicable"
ANSWERS: tuple[Answer, ...] = (YES, NO, NOT_APPLICABLE)
FEWEST_LETTERS = 4  # of a reason that says anything
TOLERANCE = timedelta(seconds=1)


@dataclass(frozen=True)
class Found:
    """An answer of the system; ``seen`` are ids, numbers and moments that it rests on."""

    answer: Answer | None
    seen: Mapping[str, Any] = field(default_factory=dict)


def _all_of(faults: list[Any], name: str) -> Found:
    return Found(NO, {name: faults}) if faults else Found(YES)


def purpose_stated(case: CaseEvidence) -> Found:
    """Reason and purpose are given, and are not the same words."""
    reason, purpose = case.application.reason.strip(), case.application.purpose.strip()
    given = len(reason) >= FEWEST_LETTERS and len(purpose) >= FEWEST_LETTERS
    return Found(YES if given and reason != purpose else NO, {"letters": [len(reason), len(purpose)]})


def scope_within_request(case: CaseEvidence) -> Found:
    """What was granted of each item lies within what was asked for."""
    granted = [item for item in case.items if item.granted_start is not None and item.granted_end is not None]
    if not granted:
        return Found(NOT_APPLICABLE)
    wider = [
        item.position
        for item in granted
        if (item.granted_start or item.asked_start) < item.asked_start
        or (item.granted_end or item.asked_end) > item.asked_end
    ]
    return _all_of(wider, "items")


def applicant_confirmed(case: CaseEvidence) -> Found:
    """The department, or for outsiders the check of credentials, has approved; the drafter has not."""
    decided = case.of_stage(*permissions.FIRST)
    if not decided:
        return Found(NOT_APPLICABLE)
    last = decided[-1]
    fit = last.outcome == STAGES[last.stage].favourable and last.decided_by != case.application.drafter_id
    approved = bool(case.forms)
    return Found(YES if fit or not approved else NO, {"decision": last.id})


def sensitivities_declared(case: CaseEvidence) -> Found:
    """The form says what the footage shows, also where that is nothing; unknown of forms before it was asked."""
    declared = case.application.sensitivities
    return Found(None) if declared is None else Found(YES, {"declared": list(declared)})


def stages_complete(case: CaseEvidence) -> Found:
    """Where a form was filed, every stage of its order has approved before, one after another."""
    if not case.forms:
        return Found(NOT_APPLICABLE)
    missing, before = [], None
    for stage in _order(case):
        favourable = [one for one in case.of_stage(stage) if one.outcome == STAGES[stage].favourable]
        if not favourable or (before is not None and favourable[-1].decided_at < before):
            missing.append(stage)
        else:
            before = favourable[-1].decided_at
    return _all_of(missing, "stages")


def deciders_differ(case: CaseEvidence) -> Found:
    """Nobody has decided two stages of the approval, or one of an application of their own."""
    stages: dict[str, set[str]] = {}
    for one in case.of_stage(*permissions.FIRST, *permissions.ORDER):
        stages.setdefault(one.decided_by, set()).add(STAGES[one.stage].duty)
    if not stages:
        return Found(NOT_APPLICABLE)
    own = {case.application.drafter_id} if case.application.on_behalf is None else set[str]()
    return _all_of(sorted(person for person, held in stages.items() if len(held) > 1 or person in own), "people")


def signatures_bound(case: CaseEvidence) -> Found:
    """Each decision of the approval is signed over the form of its round."""
    decided = [one for one in case.decisions if STAGES[one.stage].phase == "approval"]
    if not decided:
        return Found(NOT_APPLICABLE)
    forms = {one.round: one.sha256 for one in case.revisions}
    loose = [
        one.id
        for one in decided
        if one.form_sha256 != forms.get(one.round) or one.signature.get("sha256") != one.statement_sha256
    ]
    return _all_of(loose, "decisions")


def management_where_needed(case: CaseEvidence) -> Found:
    """Where management has to decide, it has; not asked where nothing was filed, or it is not needed."""
    if not case.forms or not case.application.management_needed:
        return Found(NOT_APPLICABLE)
    return Found(YES if case.of_stage("management") else NO)


def decided_in_time(case: CaseEvidence) -> Found:
    """Each review was answered within its limit."""
    decided = {one.review_id: one.decided_at for one in case.decisions}
    answered = [review for review in case.reviews if review.id in decided]
    if not answered:
        return Found(NOT_APPLICABLE)
    return _all_of([one.stage for one in answered if decided[one.id] > one.due_at + TOLERANCE], "stages")


def retrieved_on_filed_form(case: CaseEvidence) -> Found:
    """Each record names a filed form of the case by number and hash."""
    if not case.records:
        return Found(NOT_APPLICABLE)
    numbers = {one.number for one in case.forms}
    hashes = {*(one.sha256 for one in case.revisions), *(one.sha256 for one in case.forms)}
    forms = {item: record.get("form", {}) for item, record in case.records.items()}
    loose = [
        item for item, form in forms.items() if form.get("number") not in numbers or form.get("sha256") not in hashes
    ]
    return _all_of(loose, "items")


def two_people_where_needed(case: CaseEvidence) -> Found:
    """Where the class needs a second person, one has confirmed the release."""
    released = [one for one in case.decisions if one.stage == "storage-release" and one.outcome == "approved"]
    if not released or not case.application.second_person:
        return Found(NOT_APPLICABLE)
    return _all_of([one.id for one in released if one.review_id not in case.confirmed], "decisions")


def clock_measured(case: CaseEvidence) -> Found:
    """Each record says how the recorder's clock stood against true time."""
    if not case.records:
        return Found(NOT_APPLICABLE)
    unmeasured = [
        item for item, record in case.records.items() if record.get("recorderClock", {}).get("offsetMs") is None
    ]
    return _all_of(unmeasured, "items")


def gaps_recorded(case: CaseEvidence) -> Found:
    """What lacks of an item is on its record: outcome, coverage and, unless all of it lacks, the spans obtained."""
    if not case.records:
        return Found(NOT_APPLICABLE)
    lacking = [item for item in case.items if item.outcome is not None and item.outcome != "complete"]
    silent = []
    for item in lacking:
        record = case.records.get(item.id, {})
        told = record.get("outcome") == item.outcome and record.get("coverage") is not None
        if not told or (item.outcome == "partial" and not record.get("obtained")):
            silent.append(item.position)
    return _all_of(silent, "items")


def labels_complete(case: CaseEvidence) -> Found:
    """Each copy has its label."""
    if not case.copies:
        return Found(NOT_APPLICABLE)
    return _all_of([one.id for one in case.copies if one.id not in case.labelled], "copies")


def custodian_signed(case: CaseEvidence) -> Found:
    """The named custodian has accepted the copies; not asked where they were never offered or not taken up."""
    if not case.hand_overs:
        return Found(NOT_APPLICABLE)
    used = {*(one.copy_id for one in case.viewings), *(one.copy_id for one in case.downloads)}
    of_loan = {one.id: one.hand_over_id for one in case.copies}
    accepted = {one.id for one in case.lent}
    if not accepted and not used:
        return Found(NOT_APPLICABLE)
    return _all_of(sorted(copy for copy in used if of_loan.get(copy) not in accepted), "copies")


def agreement_valid(case: CaseEvidence) -> Found:
    """At each receipt the custodian had a valid confidentiality agreement."""
    if not case.lent:
        return Found(NOT_APPLICABLE)
    return _all_of([one.id for one in case.lent if not _has_agreement(case, one)], "handOvers")


def viewed_by_the_allowed(case: CaseEvidence) -> Found:
    """Each viewing and download is covered by a grant of that person to that copy at that moment."""
    if not case.lent:
        return Found(NOT_APPLICABLE)

    def is_granted(copy_id: str, person_id: str, at: Any) -> bool:
        return any(
            one.copy_id == copy_id
            and one.person_id == person_id
            and one.since <= at
            and (one.ended_at is None or at <= one.ended_at + TOLERANCE)
            for one in case.grants
        )

    looks = [(one.copy_id, one.person_id, one.opened_at, one.id) for one in case.viewings]
    looks += [(one.copy_id, one.person_id, one.asked_at, one.id) for one in case.downloads]
    return _all_of([one for copy, person, at, one in looks if not is_granted(copy, person, at)], "viewings")


def use_period_kept(case: CaseEvidence) -> Found:
    """Nobody has opened a copy after its due date."""
    if not case.lent:
        return Found(NOT_APPLICABLE)
    due = {one.id: one.due_at for one in case.lent}
    of_loan = {one.id: str(one.hand_over_id) for one in case.copies}
    late = []
    for one in case.viewings:
        until = due.get(of_loan.get(one.copy_id, ""))
        if until is not None and one.opened_at > until:
            late.append(one.id)
    return _all_of(late, "viewings")


def no_violation(case: CaseEvidence) -> Found:
    """No violation was recorded, other than those that were found to be unfounded."""
    if not case.lent and not case.violations:
        return Found(NOT_APPLICABLE)
    return _all_of([one.kind for one in case.violations if one.closed_as != "cleared"], "violations")


def returned_in_time(case: CaseEvidence) -> Found:
    """Each loan came back by its due date; one that was recalled, replaced or provided is not measured."""
    measured = [one for one in case.lent if one.due_at is not None and one.replaced_at is None]
    if not measured:
        return Found(NOT_APPLICABLE)
    late = []
    for one in measured:
        end = one.returned_at or one.lost_at or one.ended_at
        if one.lost_at is not None or (end is not None and one.due_at is not None and end > one.due_at):
            late.append(one.id)
        elif end is None:
            return Found(None, {"handOver": one.id})
    return _all_of(late, "handOvers")


def downloads_accounted(case: CaseEvidence) -> Found:
    """The return says of each download what became of it, or an account does that was confirmed; none was lost."""
    if not case.returns:
        return Found(NOT_APPLICABLE)
    told = {one.hand_over_id: set(one.attestation.get("downloads", {})) for one in case.returns}
    known = _list_confirmed(case)
    silent = [
        one.id
        for one in case.downloads
        if one.hand_over_id in told and one.id not in told[one.hand_over_id] and one.id not in known
    ]
    return _all_of(silent, "downloads")


def _list_confirmed(case: CaseEvidence) -> set[str]:
    """List the downloads that were accounted for after the loan, confirmed, and not lost, by the custody log."""
    accounts = {
        (entry.detail["workOrder"], entry.detail["attempt"]): entry.detail["downloads"]
        for entry in case.custody
        if entry.event == "downloads-accounted"
    }
    confirmed = [entry.detail for entry in case.custody if entry.event == "downloads-confirmed"]
    fates = [accounts[one["workOrder"], one["attempt"]] for one in confirmed]
    return {download for given in fates for download, fate in given.items() if fate != "lost"}


def hashes_equal(case: CaseEvidence) -> Found:
    """The inspection of the return has found every copy unchanged."""
    if not case.inspections:
        return Found(NOT_APPLICABLE)
    return _all_of([copy for one in case.inspections for copy, matches in one.hashes.items() if not matches], "copies")


def access_ended(case: CaseEvidence) -> Found:
    """After the end of a loan no grant is open, and the key of each copy is destroyed."""
    ended = {one.id for one in case.hand_overs if one.ended_at is not None}
    of_ended = [one for one in case.copies if one.hand_over_id in ended]
    if not of_ended:
        return Found(NOT_APPLICABLE)
    ids = {one.id for one in of_ended}
    still = [one.id for one in case.grants if one.copy_id in ids and one.ended_at is None]
    still += [one.id for one in of_ended if one.key_destroyed_at is None and one.discarded_at is None]
    return _all_of(still, "open")


def retention_set(case: CaseEvidence) -> Found:
    """Each master that there is has an end of its retention."""
    if not case.masters or case.application.closed_at is None:
        return Found(NOT_APPLICABLE)
    kept = [one for one in case.masters if one.discarded_at is None]
    return _all_of([one.id for one in kept if one.dispose_after is None and one.retain_until is None], "masters")


CHECKS: Mapping[str, Callable[[CaseEvidence], Found]] = {
    function.__name__.replace("_", "-"): function
    for function in (
        purpose_stated,
        scope_within_request,
        applicant_confirmed,
        sensitivities_declared,
        stages_complete,
        deciders_differ,
        signatures_bound,
        management_where_needed,
        decided_in_time,
        retrieved_on_filed_form,
        two_people_where_needed,
        clock_measured,
        gaps_recorded,
        labels_complete,
        custodian_signed,
        agreement_valid,
        viewed_by_the_allowed,
        use_period_kept,
        no_violation,
        returned_in_time,
        downloads_accounted,
        hashes_equal,
        access_ended,
        retention_set,
    )
}


def run(name: str, case: CaseEvidence) -> Found:
    """Return what a check of the system finds in a case. KeyError for one that there is not."""
    return CHECKS[name](case)


def _order(case: CaseEvidence) -> list[str]:
    order = permissions.order_of(case.application)
    return [stage for stage in order if stage != "management" or case.application.management_needed]


def _has_agreement(case: CaseEvidence, hand_over: HandOver) -> bool:
    agreement = case.agreements.get(hand_over.agreement_id or "")
    return (
        agreement is not None
        and hand_over.accepted_at is not None
        and agreement.signed_at <= hand_over.accepted_at < agreement.expires_at
        and (agreement.ended_at is None or hand_over.accepted_at < agreement.ended_at)
    )
