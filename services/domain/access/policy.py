"""Who may decide, computed from values of the organisation and its cases (T1, T8, F26).

Pure: no session, no clock; ``access.queries`` loads the values. A person who has done one of ``all_duties`` for an
application does none of the others for it, in any round. The subjects of a case and its custodian decide nothing in
it, administrators decide nothing at all, and nobody decides without a valid confidentiality agreement (R59). The
receipt is the custodian's own and no decision on the case: to accept needs only what ``hand_overs.accept`` checks.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property

from services.database.tables.reviews import Review
from services.domain.stages.catalogue import STAGES
from services.domain.stages.schema import Group, Rule, Stage
from services.runtime.errors import Refused
from services.runtime.translations import Bilingual, Message, Text

# The duties besides those of the review stages.
APPLICANT = Message("the applicant")
SECOND_PERSON = Message("the second person")
SUPERVISION = Message("the supervisor")

# The posts that may lead to a review by a rule; ``pools`` finds the people.
POSTS: dict[Rule, set[str]] = {
    "department": {"head", "deputy"},
    "sign-off": {"head", "deputy"},
    "management": {"manager", "head"},
    "custodian": set(),
    "return-office": {"return-inspector", "security-reviewer", "storage-operator", "deputy", "head"},
    "counterpart": set(),
}

LEADERS = frozenset({"head", "deputy"})
# Refusals of those who have no say in who decides.
OUTSIDE_CODES = frozenset({"administrator", "subject", "was-applicant", "was-custodian", "was-accused", "was-speaker"})

Pools = list[list[str]]


@dataclass(frozen=True)
class DepartmentInfo:
    """A department: its kind, and the id of the one above it."""

    kind: str
    superior_id: str | None = None


@dataclass(frozen=True)
class PersonInfo:
    """A person with their own department."""

    name: str
    department_id: str


@dataclass(frozen=True)
class HeldPost:
    """A post that an active person holds."""

    person_id: str
    department_id: str
    kind: str


@dataclass(frozen=True)
class Directory:
    """The organisation at one moment: its departments, and the people with a post other than membership.

    ``absent`` and ``agreed`` (with a valid confidentiality agreement) are about those ``people`` alone: they are some
    hundred, while plain members may be 20,000. ``announced`` maps people to the local moment from which an absence
    counts that somebody else has entered.
    """

    departments: Mapping[str, DepartmentInfo]
    people: Mapping[str, PersonInfo]
    held: Collection[HeldPost]
    absent: Collection[str] = frozenset()
    announced: Mapping[str, datetime] = field(default_factory=dict)
    agreed: Collection[str] = frozenset()

    @cached_property
    def _by_post(self) -> Mapping[tuple[str, str], set[str]]:
        """The ids of people by department and kind of post."""
        by_post: dict[tuple[str, str], set[str]] = defaultdict(set)
        for post in self.held:
            by_post[post.department_id, post.kind].add(post.person_id)
        return dict(by_post)

    @cached_property
    def _by_person(self) -> Mapping[str, list[HeldPost]]:
        by_person: dict[str, list[HeldPost]] = defaultdict(list)
        for post in self.held:
            by_person[post.person_id].append(post)
        return dict(by_person)

    @cached_property
    def administrators(self) -> frozenset[str]:
        return frozenset(self.holders(None, "administrator"))

    def posts_of(self, person_id: str) -> list[HeldPost]:
        """Return the posts of one of these people; empty for a plain member."""
        return self._by_person.get(person_id, [])

    def holders(self, department_id: str | None, *kinds: str) -> list[str]:
        """List, by id, who holds one of these posts in the department (None: any); the absent too."""
        departments = self.departments if department_id is None else (department_id,)
        return self._holders(departments, kinds)

    def holders_in(self, department_kind: str, *kinds: str) -> list[str]:
        """List holders in all departments of one kind, such as the heads of Security."""
        return self._holders(
            (i for i, department in self.departments.items() if department.kind == department_kind), kinds
        )

    def _holders(self, departments: Iterable[str], kinds: tuple[str, ...]) -> list[str]:
        holders: set[str] = set()
        for department_id in departments:
            for kind in kinds:
                holders |= self._by_post.get((department_id, kind), set())
        return sorted(holders)

    def holds(self, person_id: str, *kinds: str) -> bool:
        """Whether the person holds one of these posts anywhere."""
        return any(post.kind in kinds for post in self.posts_of(person_id))

    def holds_in(self, person_id: str, department_kind: str, *kinds: str) -> bool:
        """Whether the person holds one of these posts in a department of this kind."""
        return any(
            post.kind in kinds and self.departments[post.department_id].kind == department_kind
            for post in self.posts_of(person_id)
        )

    def superiors(self, department_id: str) -> list[str]:
        """List the departments above, the nearest first; a cycle ends where it closes."""
        superiors: list[str] = []
        above = self.departments[department_id].superior_id
        while above is not None and above not in (department_id, *superiors):
            superiors.append(above)
            above = self.departments[above].superior_id
        return superiors

    def departments_of(self, person_id: str) -> set[str]:
        """Return the departments of one of these people: their own, and those of their posts."""
        return {self.people[person_id].department_id, *(post.department_id for post in self.posts_of(person_id))}

    def present(self, people: Iterable[str]) -> list[str]:
        """Leave out the absent; keeps the order."""
        return [person for person in people if person not in self.absent]


@dataclass(frozen=True)
class MatterParts:
    """Who has a part in one matter of a case: ``opener`` asked for it, ``counterpart`` is asked beside the posts.

    The system opens some itself; such a matter has no opener. ``accused`` are those of a violation, and ``speakers``
    have replied to it for their department: neither decide anything in it.
    """

    opener: str | None = None
    counterpart: str | None = None
    accused: Collection[str] = frozenset()
    speakers: Collection[str] = frozenset()
    reported: Collection[str] = frozenset()  # of an appeal: who has recorded the violation
    proposed: Collection[str] = frozenset()  # of a disposal: who has decided it first


@dataclass(frozen=True)
class CaseFacts:
    """One case, and who did what in it, in all rounds.

    ``near`` are the drafter, the subjects and those who consented for a department (R17), in this order, each with the
    departments that the person belongs to, or belonged to when the case first named them. Who drafts on behalf of
    people outside is not near: it is not Security's own matter (T8). ``custodians`` are the named
    one and all who were handed a copy.
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


def pools(directory: Directory, facts: CaseFacts, stage: Stage, matter_id: str | None = None) -> Pools:
    """List who has the post for this stage: those in charge first, then their substitutes.

    ``matter_id``: of a question about a matter, which may be put to the matter's counterpart.
    """
    matter = facts.matters.get(matter_id) if matter_id is not None else None
    return [list(dict.fromkeys(pool)) for pool in _pools(directory, facts, stage, matter) if pool]


def pools_of(directory: Directory, facts: CaseFacts, review: Review) -> Pools:
    """List who may be asked the review, as ``pools`` does."""
    return pools(directory, facts, STAGES[review.stage], review.matter_id)


def stages_of(directory: Directory, person_id: str) -> list[str]:
    """List the stages that the person's posts may lead to; not the receipt, which needs no post."""
    held = {post.kind for post in directory.posts_of(person_id)}
    return [code for code, stage in STAGES.items() if held & _posts_for(stage)]


def reach(directory: Directory, person_id: str) -> dict[str, list[str] | None]:
    """Map the stages that the person's posts may lead to onto the departments of those cases; None for all.

    Beyond these nobody is in a pool. It leaves open whose turn it is, and what bars the person.
    """

    def departments(stage: Stage) -> list[str] | None:
        if stage.candidates == "department":
            return led_departments(directory, person_id)
        if isinstance(stage.candidates, str) or any(group.departments != "own" for group in stage.groups):
            return None
        posts = [group.posts for group in stage.groups]
        return [i for i in directory.departments if any(person_id in directory.holders(i, *held) for held in posts)]

    return {code: departments(STAGES[code]) for code in stages_of(directory, person_id)}


def led_departments(directory: Directory, person_id: str) -> list[str]:
    """List the departments that the person heads, or for whose head the person may stand in (T1)."""
    return [i for i in directory.departments if any(person_id in pool for pool in _department_pools(directory, i))]


def candidates(directory: Directory, facts: CaseFacts, review: Review) -> list[str]:
    """List who may decide the review now: the first group with somebody eligible and present.

    After the escalation all eligible and present people of all groups. May be empty.
    """
    return _candidates(directory, facts, review, pools_of(directory, facts, review))


def lacking_agreement(directory: Directory, facts: CaseFacts, review: Review) -> list[str]:
    """List whose turn the review is but for the confidentiality agreement, which they have not signed (R59).

    Once they have, they are ``candidates``. The receipt is open to its custodian anyway.
    """
    if is_own(STAGES[review.stage]):
        return []
    able = candidates(replace(directory, agreed=frozenset(directory.people)), facts, review)
    return [person for person in able if person not in directory.agreed]


def refusal_for(
    directory: Directory, facts: CaseFacts, review: Review, person_id: str, *, second: bool = False
) -> Refused | None:
    """Return why the person may not decide the review (or be its ``second`` person), or None."""
    stage = STAGES[review.stage]
    groups = pools_of(directory, facts, review)
    index = next((number for number, group in enumerate(groups) if person_id in group), None)
    if not is_own(stage):
        refusal = (
            _matter_refusal(facts, review, person_id)
            or _department_refusal(directory, facts, review, person_id)
            or duty_refusal(directory, facts, "second-person" if second else stage.duty, person_id)
        )
        if refusal is not None and (index is not None or refusal.code != "agreement-missing"):
            return refusal
    if index is None:
        return _refused("not-yours", Message("You are not assigned to this review."))
    # earlier groups than the chosen ones may decide as well, even people recorded as absent; whoever is in several
    # groups counts in the first one alone
    first = {person: number for number, group in reversed(list(enumerate(groups))) for person in group}
    chosen = _candidates(directory, facts, review, groups)
    turn = max((first[person] for person in chosen), default=len(groups))
    if index > turn:
        return _refused("not-yet", _not_yet(directory, chosen))
    return None


def is_own(stage: Stage) -> bool:
    """Whether the stage asks one named person for their own consent, which is no decision on the case."""
    return stage.candidates in ("custodian", "counterpart")


def _matter_refusal(facts: CaseFacts, review: Review, person_id: str) -> Refused | None:
    """Return why whoever asked for the matter, is accused in it or has replied to it decides nothing in it."""
    matter = facts.matters.get(review.matter_id) if review.matter_id is not None else None
    if matter is not None and person_id in matter.accused:
        return _refused("was-accused", Message("You are accused in this violation: another person has to decide it."))
    if matter is not None and person_id in matter.speakers:
        return _refused(
            "was-speaker",
            Message("You have replied to this violation for the department: another person has to decide it."),
        )
    if matter is not None and person_id in matter.reported:
        return _refused("was-opener", Message("You have recorded this violation: another person has to decide it."))
    if matter is None or matter.opener != person_id:
        return None
    return _refused("was-opener", Message("You have asked for this: another person has to decide it."))


def _department_refusal(directory: Directory, facts: CaseFacts, review: Review, person_id: str) -> Refused | None:
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


def _not_yet(directory: Directory, chosen: Collection[str]) -> Message:
    """Word why a substitute waits, from when where absences are announced of all whose turn it is."""
    if not set(chosen) <= set(directory.announced):
        return Message(
            "You are a substitute: you can decide when the people in charge are absent or the review is overdue."
        )
    return Message(
        "You are a substitute: the recorded absence takes effect at {moment}, or as soon as the absent person or "
        "an administrator confirms it.",
        moment=f"{max(directory.announced[person] for person in chosen):%Y-%m-%d %H:%M %z}",
    )


def reassignment_refusal(directory: Directory, facts: CaseFacts, review: Review, person_id: str) -> Refused | None:
    """Return why the person may not give a claimed review to another candidate, or None.

    The head and the deputy of the department may, by whose post the review is claimed; the deputy not what the head
    has claimed. Whoever is on the applicant's side, a subject or the custodian has no say in who decides (T1, T8).
    """
    stage = STAGES[review.stage]
    for refusal in (_matter_refusal(facts, review, person_id), duty_refusal(directory, facts, stage.duty, person_id)):
        if refusal is not None and refusal.code in OUTSIDE_CODES:
            return refusal
    for post in directory.posts_of(person_id) if not is_own(stage) else ():
        holders = _holders_of_stage(directory, facts, stage, post.department_id) if post.kind in LEADERS else {}
        kinds = holders.get(review.claimed_by, set()) if review.claimed_by is not None else set()
        outranks = bool(kinds) and (post.kind == "head" or "head" not in kinds)
        if outranks or (holders and review.claimed_by is None):
            return None
    return _refused(
        "not-the-head",
        Message("Only the head or the deputy of the responsible department can reassign a review."),
    )


def _holders_of_stage(directory: Directory, facts: CaseFacts, stage: Stage, department_id: str) -> dict[str, set[str]]:
    """Map who is asked at this stage by a post in this department to the kinds of these posts."""
    holders: dict[str, set[str]] = defaultdict(set)
    for post in directory.held:
        if post.department_id == department_id and post.kind in _posts_for(stage):
            alone = pools(replace(directory, held=(post,)), facts, stage)
            if any(post.person_id in pool for pool in alone):
                holders[post.person_id].add(post.kind)
    return dict(holders)


def second_people(directory: Directory, facts: CaseFacts, review: Review) -> list[str]:
    """List who may confirm the review as its second person; the absent too."""
    groups = pools_of(directory, facts, review)
    pool = dict.fromkeys(person for group in groups for person in group)
    return [person for person in pool if refusal_for(directory, facts, review, person, second=True) is None]


def stands_in_for(directory: Directory, facts: CaseFacts, review: Review, person_id: str) -> str | None:
    """Return the person in charge, if ``person_id`` is a substitute."""
    groups = pools_of(directory, facts, review)
    return groups[0][0] if groups and person_id not in groups[0] else None


def all_before(directory: Directory, facts: CaseFacts, review: Review, person_id: str) -> list[str]:
    """List all whose turn comes before that of a substitute: those in charge, and nearer substitutes.

    By their absence, or after the limit, the substitute signs; so the statement names them, subjects too.
    """
    return _all_before(pools_of(directory, facts, review), person_id)


def all_before_in_department(directory: Directory, department_id: str, person_id: str) -> list[str]:
    """List all whose turn to consent for the department (R17) comes before that of a substitute."""
    return _all_before(_department_pools(directory, department_id), person_id)


def people_represented(directory: Directory, facts: CaseFacts, review: Review, person_id: str) -> list[str]:
    """List all in charge in whose place a substitute signs; without the subjects, who learn nothing (T8)."""
    return _represented(pools_of(directory, facts, review), person_id, facts.subjects)


def heads_represented(directory: Directory, department_id: str, person_id: str, excluded: Collection[str]) -> list[str]:
    """List the heads in whose place a substitute consents for the department (R17), without ``excluded``."""
    return _represented([pool for pool in _department_pools(directory, department_id) if pool], person_id, excluded)


def supervision_refusal(directory: Directory, facts: CaseFacts, person_id: str) -> Refused | None:
    """Return why the person must not inspect this case, or None (R61: no own cases)."""
    if not directory.holds(person_id, "supervisor"):
        return _refused("not-yours", Message("You are not a member of the supervision group."))
    return duty_refusal(directory, facts, "supervision", person_id)


def people_concerned(directory: Directory, facts: CaseFacts, *department_kinds: str) -> list[str]:
    """List the people near the case who belong to a department of these kinds (T8)."""
    return [
        person_id
        for person_id, own in facts.near.items()
        if any(directory.departments[department_id].kind in department_kinds for department_id in own)
    ]


def consent_givers(directory: Directory, department_id: str, excluded: Collection[str]) -> list[str]:
    """List who may consent for the department (R17): heads, else deputies, else heads above.

    Excluded are ``excluded``, the drafter and the subjects, and administrators.
    """
    givers: list[str] = []
    for pool in _department_pools(directory, department_id):
        eligible = [person for person in pool if person not in excluded and person not in directory.administrators]
        givers += eligible
        if directory.present(eligible):
            break
    return list(dict.fromkeys(givers))


def substitutes(directory: Directory, department_id: str, excluded: Collection[str]) -> list[str]:
    """List who is notified for an absent person of this department: heads, else deputies; only present ones.

    ``excluded`` are that person, and the subjects of the case, who must not learn that it exists (T8).
    """
    for post in ("head", "deputy"):
        eligible = [
            person for person in directory.present(directory.holders(department_id, post)) if person not in excluded
        ]
        if eligible:
            return eligible
    return []


def _all_before(groups: Pools, person_id: str) -> list[str]:
    own = next((number for number, group in enumerate(groups) if person_id in group), 0)
    return list(dict.fromkeys(person for group in groups[:own] for person in group))


def _represented(groups: Pools, person_id: str, excluded: Collection[str]) -> list[str]:
    if not groups or person_id in groups[0]:
        return []
    return [person for person in groups[0] if person not in excluded]


def _candidates(directory: Directory, facts: CaseFacts, review: Review, groups: Pools) -> list[str]:
    stage = STAGES[review.stage]
    if is_own(stage):
        return [person_id for group in groups for person_id in group]
    eligible = [
        directory.present(
            person
            for person in group
            if _matter_refusal(facts, review, person) is None
            and _department_refusal(directory, facts, review, person) is None
            and duty_refusal(directory, facts, stage.duty, person) is None
        )
        for group in groups
    ]
    if review.escalated_at is not None:
        return list(dict.fromkeys(person for group in eligible for person in group))
    needed = 2 if review.stage == "storage-release" and facts.second_person else 1
    chosen: list[str] = []
    for group in eligible:
        chosen += [person for person in group if person not in chosen]
        if len(chosen) >= needed:
            break
    return chosen


def _posts_for(stage: Stage) -> set[str]:
    if isinstance(stage.candidates, str):
        return POSTS[stage.candidates]
    return {post for group in stage.groups for post in group.posts}


def _pools(directory: Directory, facts: CaseFacts, stage: Stage, matter: MatterParts | None) -> Pools:
    if not isinstance(stage.candidates, str):
        return [_holders(directory, facts, group) for group in stage.candidates]
    return _pools_of_rule(directory, facts, stage.candidates, matter)


def _pools_of_rule(directory: Directory, facts: CaseFacts, rule: Rule, matter: MatterParts | None) -> Pools:
    match rule:
        case "department":
            return _department_pools(directory, facts.department_id)
        case "sign-off":
            return _sign_off_pools(directory, facts)
        case "management":
            return _management_pools(directory, facts)
        case "custodian":
            return [[facts.custodian_id] if facts.custodian_id else []]
        case "return-office":
            return _inspection_pools(directory, facts)
        case "counterpart":
            return [[matter.counterpart] if matter is not None and matter.counterpart else []]


def _holders(directory: Directory, facts: CaseFacts, group: Group) -> list[str]:
    match group.departments:
        case "own":
            return directory.holders(facts.department_id, *group.posts)
        case "any":
            return directory.holders(None, *group.posts)
        case kind:
            return directory.holders_in(kind, *group.posts)


def _department_pools(directory: Directory, department_id: str) -> Pools:
    """T1: the head, else the deputy, else the head of the nearest department above."""
    return [
        directory.holders(department_id, "head"),
        directory.holders(department_id, "deputy"),
        *(directory.holders(above, "head") for above in directory.superiors(department_id)),
    ]


def _sign_off_pools(directory: Directory, facts: CaseFacts) -> Pools:
    holders = directory.holders_in
    if people_concerned(directory, facts, "security"):
        # T8: not their own head; administration is the policy's other pillar of the supervision (R61), then legal
        return [holders("administration", "head"), holders("administration", "deputy"), holders("legal", "head")]
    above = [
        directory.holders(superior, "head")
        for department_id in sorted(directory.departments)
        if directory.departments[department_id].kind == "security"
        for superior in directory.superiors(department_id)
    ]
    return [holders("security", "head"), holders("security", "deputy"), *above]


def _management_pools(directory: Directory, facts: CaseFacts) -> Pools:
    """T8: where management is concerned, managers of other departments come first, then the other managers."""
    managers = directory.holders(None, "manager")
    heads = directory.holders_in("management", "head")
    if facts.decided_by != "management-other":
        return [managers, heads]
    near = {
        department for person in people_concerned(directory, facts, "management") for department in facts.near[person]
    }
    far = [person for person in managers if not near & directory.departments_of(person)]
    return [far, managers, heads]


def _inspection_pools(directory: Directory, facts: CaseFacts) -> Pools:
    """T12: the office that the custodian chose; its inspectors, then its other people, then inspectors elsewhere."""
    kind = facts.return_to or "security"
    others = {"security": ("security-reviewer", "deputy", "head"), "storage": ("storage-operator", "deputy", "head")}
    return [
        directory.holders_in(kind, "return-inspector"),
        directory.holders_in(kind, *others[kind]),
        directory.holders(None, "return-inspector"),
    ]


def _refused(code: str, message: Text) -> Refused:
    return Refused(code, message, status=403)
