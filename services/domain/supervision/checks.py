"""The checks of the system that a checklist can name: one function each, over the rows of one case (R63).

Each answers yes where all is in order, no with what it has seen, "not applicable" where the case never came so far,
and None where it cannot tell. None of them decides: the member confirms or overrules it.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal

from services.database.tables.custody import HandOver
from services.domain.process import permissions
from services.domain.stages.catalogue import STAGES
from services.domain.supervision.case_evidence import RECEIVED, CaseEvidence

Answer = Literal["yes", "no", "not-applicable"]
YES: Answer = "yes"
NO: Answer = "no"
NOT_APPLICABLE: Answer = "not-applicable"
ANSWERS: tuple[Answer, ...] = (YES, NO, NOT_APPLICABLE)
FEWEST_LETTERS = 4  # of a reason that says anything
TOLERANCE = timedelta(seconds=1)
IMPORTANT = "important"
VIEW, DOWNLOAD = "view", "download"  # what a grant allows
STILL = "still-saved"  # a picture of a copy, by the custody log


@dataclass(frozen=True)
class Found:
    """An answer of the system; ``seen`` are ids, numbers and moments that it rests on."""

    answer: Answer | None
    seen: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Look:
    """A moment at which somebody had a copy before them; ``name`` is the row that says so."""

    copy_id: str
    person_id: str
    action: str
    at: datetime
    name: str


def _all_of(faults: list[Any], name: str) -> Found:
    return Found(NO, {name: faults}) if faults else Found(YES)


def purpose_stated(case: CaseEvidence) -> Found:
    """Reason and purpose are given, and are not the same words."""
    reason, purpose = case.application.reason.strip(), case.application.purpose.strip()
    given = len(reason) >= FEWEST_LETTERS and len(purpose) >= FEWEST_LETTERS
    return Found(YES if given and reason != purpose else NO, {"letters": [len(reason), len(purpose)]})


def scope_within_request(case: CaseEvidence) -> Found:
    """What was granted of each item lies within what was asked for."""
    granted = [item for item in case.items if item.granted_start is not None or item.granted_end is not None]
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
        return Found(NO, {"forms": [one.number for one in case.forms]}) if case.forms else Found(NOT_APPLICABLE)
    last = decided[-1]
    fit = last.outcome == STAGES[last.stage].favourable and last.decided_by != case.application.drafter_id
    approved = bool(case.forms)
    return Found(YES if fit or not approved else NO, {"decision": last.id})


def sensitivities_declared(case: CaseEvidence) -> Found:
    """The form says what the footage shows, also where that is nothing; unknown of forms before it was asked.

    Once it is filed, what the case is treated as is what was signed.
    """
    declared = case.application.sensitivities
    if declared is None:
        return Found(None)
    signed = case.revisions[-1].form.get("sensitivities", []) if case.forms and case.revisions else declared
    same = sorted(signed) == sorted(declared)
    return Found(YES if same else NO, {"declared": list(declared), **({} if same else {"signed": list(signed)})})


def stages_complete(case: CaseEvidence) -> Found:
    """Where a form was filed, every stage of its order has approved before that, one after another."""
    if not case.forms:
        return Found(NOT_APPLICABLE)
    missing, before = [], None
    for stage in _order(case):
        favourable = [one for one in case.of_stage(stage) if one.outcome == STAGES[stage].favourable]
        if not favourable or (before is not None and favourable[-1].decided_at < before):
            missing.append(stage)
        else:
            before = favourable[-1].decided_at
    if before is not None and before > case.forms[-1].made_at + TOLERANCE:
        missing.append(case.forms[-1].number)
    return _all_of(missing, "stages")


def deciders_differ(case: CaseEvidence) -> Found:
    """Nobody has decided two stages of the approval, in whichever rounds, or one of an application of their own."""
    stages: dict[str, set[str]] = {}
    approval = {*permissions.FIRST, *permissions.ORDER}
    for one in (decision for decision in case.decisions if decision.stage in approval):
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
    """Where management has to decide, it has approved; not asked where nothing was filed, or it is not needed."""
    if not case.forms or not _needs_management(case):
        return Found(NOT_APPLICABLE)
    decided = case.of_stage("management")
    approved = bool(decided) and decided[-1].outcome == STAGES["management"].favourable
    return Found(YES if approved else NO, {"decisions": [one.id for one in decided]})


def decided_in_time(case: CaseEvidence) -> Found:
    """Each review was answered within its limit, and none of the approval ended after it without an answer."""
    decided = {one.review_id: one.decided_at for one in case.decisions}
    ends = {
        review: decided.get(review.id) or (review.closed_at if STAGES[review.stage].phase == "approval" else None)
        for review in case.reviews
    }
    ended = {review: end for review, end in ends.items() if end is not None}
    if not ended:
        return Found(NOT_APPLICABLE)
    return _all_of([review.stage for review, end in ended.items() if end > review.due_at + TOLERANCE], "stages")


def retrieved_on_filed_form(case: CaseEvidence) -> Found:
    """Each record names a filed form of the case by number and hash, and no copy is without a record."""
    without = _list_unrecorded(case)
    if not case.records and not without:
        return Found(NOT_APPLICABLE)
    numbers = {one.number for one in case.forms}
    hashes = {*(one.sha256 for one in case.revisions), *(one.sha256 for one in case.forms)}
    forms = {item: record.get("form", {}) for item, record in case.records.items()}
    loose = [
        item for item, form in forms.items() if form.get("number") not in numbers or form.get("sha256") not in hashes
    ]
    return _all_of([*loose, *without], "items")


def two_people_where_needed(case: CaseEvidence) -> Found:
    """Where the class needs a second person, another one than the first has confirmed each release."""
    released = [one for one in case.decisions if one.stage == "storage-release" and one.outcome == "approved"]
    if not case.application.second_person or not (released or case.records or case.copies):
        return Found(NOT_APPLICABLE)
    if not released:
        return Found(NO, {"decisions": []})
    alone = [one.id for one in released if not case.confirmed.get(one.review_id, frozenset()) - {one.decided_by}]
    return _all_of(alone, "decisions")


def clock_measured(case: CaseEvidence) -> Found:
    """Each record says how the recorder's clock stood against true time, and no copy is without a record."""
    without = _list_unrecorded(case)
    if not case.records and not without:
        return Found(NOT_APPLICABLE)
    unmeasured = [
        item for item, record in case.records.items() if record.get("recorderClock", {}).get("offsetMs") is None
    ]
    return _all_of([*unmeasured, *without], "items")


def gaps_recorded(case: CaseEvidence) -> Found:
    """What lacks of an item is on its record: outcome, coverage and, unless all of it lacks, the spans obtained."""
    if not case.records and not any(item.outcome is not None for item in case.items):
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
    """The custodian has accepted the copies, by the custody log; not asked where they were not offered or taken up."""
    if not case.hand_overs:
        return Found(NOT_APPLICABLE)
    used = {*(one.copy_id for one in case.viewings), *(one.copy_id for one in case.downloads)}
    of_loan = {one.id: one.hand_over_id for one in case.copies}
    accepted = {one.id for one in case.lent}
    if not accepted and not used:
        return Found(NOT_APPLICABLE)
    signed = {one.hand_over_id for one in case.custody if one.event == RECEIVED and one.person_id is not None}
    loose = sorted(copy for copy in used if of_loan.get(copy) not in accepted)
    return _all_of([*loose, *sorted(accepted - signed)], "copies")


def agreement_valid(case: CaseEvidence) -> Found:
    """At each receipt, that of a custody transfer too, who received had a valid confidentiality agreement."""
    if not case.lent:
        return Found(NOT_APPLICABLE)
    received = [one for one in case.custody if one.event == RECEIVED and one.person_id is not None]
    known = {one.hand_over_id for one in received}
    moments = [(one.hand_over_id, str(one.person_id), one.at) for one in received]
    moments += [(one.id, one.custodian_id, _accepted(one)) for one in case.lent if one.id not in known]
    return _all_of(sorted({loan for loan, person, at in moments if not _has_agreement(case, person, at)}), "handOvers")


def viewed_by_the_allowed(case: CaseEvidence) -> Found:
    """Each look at a copy is covered by a grant of that person for that, to that copy, at that moment."""
    looks = _list_looks(case)
    if not case.lent and not looks:
        return Found(NOT_APPLICABLE)

    def is_granted(look: Look) -> bool:
        return any(
            (one.copy_id, one.person_id, one.action) == (look.copy_id, look.person_id, look.action)
            and one.since <= look.at <= min(one.until, one.ended_at or one.until) + TOLERANCE
            for one in case.grants
        )

    return _all_of(_names(look for look in looks if not is_granted(look)), "viewings")


def use_period_kept(case: CaseEvidence) -> Found:
    """Nobody has looked at a copy, or fetched it, before it was received, after its due date, or after its return."""
    looks = _list_looks(case)
    if not case.lent and not looks:
        return Found(NOT_APPLICABLE)
    lent = {one.id: one for one in case.lent}
    of_loan = {one.id: one.hand_over_id for one in case.copies}

    def is_within(look: Look) -> bool:
        loan = lent.get(of_loan.get(look.copy_id) or "")
        if loan is None:
            return False
        ends = [loan.due_at, loan.returned_at, loan.lost_at, loan.replaced_at, loan.ended_at]
        return _accepted(loan) - TOLERANCE <= look.at <= min(end for end in ends if end is not None) + TOLERANCE

    return _all_of(_names(look for look in looks if not is_within(look)), "viewings")


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
    late, open_ones = [], []
    for one in measured:
        end = one.returned_at or one.lost_at or one.ended_at
        if one.lost_at is not None or (end is not None and one.due_at is not None and end > one.due_at):
            late.append(one.id)
        elif end is None:
            open_ones.append(one.id)
    return Found(None, {"handOver": open_ones[0]}) if open_ones and not late else _all_of(late, "handOvers")


def downloads_accounted(case: CaseEvidence) -> Found:
    """The return of a loan that is over accounts for each download, or a confirmed account does; none was lost."""
    over = {one.id for one in case.hand_overs if one.ended_at is not None} | {one.hand_over_id for one in case.returns}
    if not case.returns and not any(one.hand_over_id in over for one in case.downloads):
        return Found(NOT_APPLICABLE)
    told = {one.hand_over_id: set(one.attestation.get("downloads", {})) for one in case.returns}
    known = _list_confirmed(case)
    silent = [
        one.id
        for one in case.downloads
        if one.hand_over_id in over and one.id not in told.get(one.hand_over_id, ()) and one.id not in known
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
    """The inspection of the return has looked at every copy of the loan, and found it unchanged."""
    if not case.inspections:
        return Found(NOT_APPLICABLE)
    unequal = []
    for one in case.inspections:
        unequal += [copy for copy, matches in one.hashes.items() if not matches]
        lent = [copy for copy in case.copies if copy.hand_over_id == one.hand_over_id and copy.id not in one.hashes]
        # what was discarded before is there no more
        unequal += [copy.id for copy in lent if copy.discarded_at is None or copy.discarded_at > one.inspected_at]
    return _all_of(unequal, "copies")


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
    """Each master that there is has an end of its retention; until it is archived, that is the end of its lock."""
    if not case.masters or case.application.closed_at is None:
        return Found(NOT_APPLICABLE)
    kept = [one for one in case.masters if one.discarded_at is None]
    endless = [
        one.id
        for one in kept
        if one.dispose_after is None and (one.archived_at is not None or one.retain_until is None)
    ]
    return _all_of(endless, "masters")


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
    return [stage for stage in order if stage != "management" or _needs_management(case)]


def _needs_management(case: CaseEvidence) -> bool:
    """Whether management has to decide: so it was filed, or the case is important whatever was filed."""
    return bool(case.application.management_needed) or case.application.importance == IMPORTANT


def _list_unrecorded(case: CaseEvidence) -> list[str]:
    """List the items of copies without a retrieval record."""
    return sorted({one.item_id for one in case.copies} - set(case.records))


def _list_looks(case: CaseEvidence) -> list[Look]:
    """List when somebody played, fetched or downloaded a copy: first and last read, each time that a file was sent."""
    looks = [
        Look(one.copy_id, one.person_id, VIEW, at, one.id)
        for one in case.viewings
        for at in (one.opened_at, one.last_read_at)
        if at is not None
    ]
    looks += [
        Look(one.copy_id, one.person_id, DOWNLOAD, at, one.id)
        for one in case.downloads
        for at in (one.asked_at, one.finished_at)
        if at is not None
    ]
    looks += [Look(one.copy_id, one.person_id, DOWNLOAD, one.at, f"audit:{one.seq}") for one in case.sent]
    return looks + [
        Look(one.copy_id, one.person_id, VIEW, one.at, one.id)
        for one in case.custody
        if one.event == STILL and one.copy_id is not None and one.person_id is not None
    ]


def _names(looks: Iterable[Look]) -> list[str]:
    return list(dict.fromkeys(look.name for look in looks))


def _accepted(hand_over: HandOver) -> datetime:
    """Return when the copies of a loan were received. ValueError where they were not."""
    if hand_over.accepted_at is None:
        raise ValueError(f"the copies of {hand_over.id} were not accepted")
    return hand_over.accepted_at


def _has_agreement(case: CaseEvidence, person_id: str, at: datetime) -> bool:
    return any(
        one.person_id == person_id
        and one.signed_at <= at < one.expires_at
        and (one.ended_at is None or at < one.ended_at)
        for one in case.agreements
    )
