"""Who has a part in a case, and what that bars them from, whatever their posts (T1, T8, F26).

Values alone, without a session or a clock: ``access.queries`` loads them. A person who has done one of ``all_duties``
for an application does none of the others for it, in any round. The subjects of a case and its custodian decide nothing
in it, administrators decide nothing at all, and nobody decides without a valid confidentiality agreement (R59).
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from services.database.tables.reviews import Review
from services.domain.access.directory import Directory
from services.domain.stages.catalogue import STAGES
from services.runtime.errors import Refused
from services.runtime.translations import Bilingual, Message, Text

# The duties besides those of the review stages.
APPLICANT = Message("the applicant")
SECOND_PERSON = Message("the second person")
SUPERVISION = Message("the supervisor")

# Refusals of those who have no say in who decides.
OUTSIDE_CODES = frozenset(
    {
        *("administrator", "subject", "was-applicant", "was-custodian", "was-accused", "was-speaker", "was-caller"),
        "was-party",
    }
)


@dataclass(frozen=True)
class MatterParts:
    """Who has a part in one matter of a case: ``opener`` asked for it, ``counterpart`` is asked beside the posts.

    The system opens some itself; such a matter has no opener. ``called``: of an urgent retrieval its opener again, who
    answers for it where the application is not approved, and so does not approve it. ``accused`` are those of a
    violation, and ``speakers`` have replied to it for their department: neither decide anything in it.
    """

    opener: str | None = None
    counterpart: str | None = None
    called: str | None = None
    accused: Collection[str] = frozenset()
    speakers: Collection[str] = frozenset()
    reported: Collection[str] = frozenset()  # of an appeal: who has recorded the violation
    proposed: Collection[str] = frozenset()  # of a disposal: who has decided it first
    held_against: Collection[str] = frozenset()  # of a hold or a disposal: who is accused in a violation of its case
    barred: Mapping[str, Collection[str]] = field(default_factory=dict)  # of a disposal, by stage: by its other cases


@dataclass(frozen=True)
class CaseFacts:
    """One case, and who did what in it, in all rounds.

    ``near`` are the drafter, the subjects and those who consented for a department (R17), in this order, each with the
    departments that the person belongs to, or belonged to when the case first named them. Who drafts on behalf of
    people outside is not near: it is not Security's own matter (T8). ``custodian_id`` is whom the copies of the present
    issue were offered to or who holds them by a transfer, and before an offer whom they are to be offered to.
    ``custodians`` are the one of the form, that one, and all who were handed a copy.
    """

    application_id: str
    department_id: str
    subjects: Collection[str] = ()
    custodian_id: str | None = None
    decided_by: str | None = None
    second_person: bool = False
    done: Mapping[str, Collection[str]] = field(default_factory=dict)
    near: Mapping[str, Collection[str]] = field(default_factory=dict)
    custodians: Collection[str] = ()
    return_to: str | None = None
    matters: Mapping[str, MatterParts] = field(default_factory=dict)


def all_duties() -> dict[str, Text]:
    """Map every duty of a case to the label of who does it."""
    return {
        "applicant": APPLICANT,
        **{duty: Bilingual(who.zh, who.en) for duty, who in STAGES.duties.items()},
        "second-person": SECOND_PERSON,
        "supervision": SUPERVISION,
    }


def duty_refusal(directory: Directory, facts: CaseFacts, duty: str, person_id: str) -> Refused | None:
    """Return why the person must not do this duty, whatever their posts; None if allowed."""
    if person_id in directory.administrators:
        return _refused(
            "administrator",
            Message("Administrators cannot decide reviews or view footage: another person has to do this."),
        )
    if person_id in facts.subjects:
        return _refused(
            "subject",
            Message("You are a person concerned in this case and cannot decide in it: another person has to do this."),
        )
    done = {other for other, people in facts.done.items() if other != duty and person_id in people}
    for other, who in all_duties().items() if done else ():
        if other in done:
            return _refused(
                f"was-{other}",
                Message("You are {who} of this case: another person has to do this.", who=who),
            )
    if person_id in facts.custodians:
        return _refused(
            "was-custodian",
            Message("You are the custodian of this case: another person has to do this."),
        )
    if person_id not in directory.agreed:
        return _refused(
            "agreement-missing",
            Message("You have no valid confidentiality agreement: sign it first."),
        )
    return None


def has_decided(facts: CaseFacts, person_id: str) -> bool:
    """Return whether the person has done a duty besides the applicant's: such a person cannot become its custodian."""
    return person_id in deciders(facts)


def deciders(facts: CaseFacts) -> set[str]:
    """Return who has done a duty of the case besides the applicant's."""
    return {person_id for duty, people in facts.done.items() if duty != "applicant" for person_id in people}


def matter_refusal(facts: CaseFacts, review: Review, person_id: str) -> Refused | None:
    """Return why whoever asked for the matter, is accused in it or has replied to it decides nothing in it.

    Whoever called footage urgently decides nothing of the application that has to approve it.
    """
    if review.matter_id is None:
        return _caller_refusal(facts, person_id)
    matter = facts.matters.get(review.matter_id)
    if matter is None:
        return None
    if person_id in matter.barred.get(review.stage, ()):
        return _refused(
            "was-party", Message("You have a part in a case of this batch: another person has to decide it.")
        )
    return _part_refusal(matter, person_id)


def _part_refusal(matter: MatterParts, person_id: str) -> Refused | None:
    if person_id in matter.accused:
        return _refused("was-accused", Message("You are accused in this violation: another person has to decide it."))
    if person_id in matter.speakers:
        return _refused(
            "was-speaker",
            Message("You have replied to this violation for the department: another person has to decide it."),
        )
    if person_id in matter.reported:
        return _refused("was-opener", Message("You have recorded this violation: another person has to decide it."))
    if person_id in matter.held_against:
        return _refused(
            "was-accused",
            Message(
                "You are accused in a violation of this case: other people decide on its legal holds and on the "
                "disposal of its footage."
            ),
        )
    if matter.opener == person_id:
        return _refused("was-opener", Message("You have asked for this: another person has to decide it."))
    return None


def _caller_refusal(facts: CaseFacts, person_id: str) -> Refused | None:
    if not any(one.called == person_id for one in facts.matters.values()):
        return None
    return _refused(
        "was-caller",
        Message("You have called this footage urgently: another person has to decide whether that is approved."),
    )


def department_refusal(directory: Directory, facts: CaseFacts, review: Review, person_id: str) -> Refused | None:
    """Return why nobody of the proposer's department confirms a disposal (R52)."""
    matter = facts.matters.get(review.matter_id) if review.matter_id is not None else None
    if matter is None or review.stage != "disposal-confirm" or person_id not in directory.people:
        return None
    own = directory.departments_of(person_id)
    for proposer in matter.proposed:
        if person_id == proposer or (proposer in directory.people and own & directory.departments_of(proposer)):
            return _refused(
                "was-proposer",
                Message("Your department has proposed this disposal: another department has to confirm it."),
            )
    return None


def people_concerned(directory: Directory, facts: CaseFacts, *department_kinds: str) -> list[str]:
    """List the people near the case who belong to a department of these kinds (T8)."""
    return [
        person_id
        for person_id, own in facts.near.items()
        if any(directory.departments[department_id].kind in department_kinds for department_id in own)
    ]


def _refused(code: str, message: Text) -> Refused:
    return Refused(code, message, status=403)
