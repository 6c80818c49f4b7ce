"""Who may decide, as values: what the organisation and its cases are, and what follows (T1, T8, F26).

Pure: no session, no clock; ``access`` loads the values. Whoever has done one of ``all_duties`` for an application does
none of the others for it, in any round. The people a case concerns decide nothing in it, administrators decide nothing
at all, and nobody decides without a valid confidentiality agreement (R59). The receipt is the custodian's own and no
decision on the case: accepting needs only what ``hand_overs.accept`` asks for.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from services.database.tables.reviews import Review
from services.domain.stages.catalogue import STAGES
from services.domain.stages.schema import Group, Rule, Stage
from services.runtime.errors import Refused
from services.runtime.translations import Bilingual, Message, Text

# The duties besides those that the review stages bring.
APPLICANT = Message("the applicant")
SECOND_PERSON = Message("the second person")
SUPERVISION = Message("the supervisor")

# The posts that may bring a review to somebody where a rule finds them; who exactly it is, ``pools`` says.
POSTS: dict[Rule, set[str]] = {
    "department": {"head", "deputy"},
    "sign-off": {"head", "deputy"},
    "management": {"manager", "head"},
    "custodian": set(),
    "return-office": {"return-inspector", "security-reviewer", "storage-operator", "deputy", "head"},
}

Pools = list[list[str]]


@dataclass(frozen=True)
class DepartmentInfo:
    """A department: its kind, and the id of the one above it."""

    kind: str
    superior_id: str | None = None


@dataclass(frozen=True)
class PersonInfo:
    """A person with the department that is the person's own."""

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

    ``absent`` and ``agreed`` (with a valid confidentiality agreement) tell of those ``people`` alone: they are some
    hundred, where plain members may be 20,000.
    """

    departments: Mapping[str, DepartmentInfo]
    people: Mapping[str, PersonInfo]
    held: Collection[HeldPost]
    absent: Collection[str] = frozenset()
    agreed: Collection[str] = frozenset()

    @cached_property
    def _by_post(self) -> Mapping[tuple[str, str], set[str]]:
        """People by department and kind of post."""
        found: dict[tuple[str, str], set[str]] = defaultdict(set)
        for post in self.held:
            found[post.department_id, post.kind].add(post.person_id)
        return dict(found)

    @cached_property
    def _by_person(self) -> Mapping[str, list[HeldPost]]:
        found: dict[str, list[HeldPost]] = defaultdict(list)
        for post in self.held:
            found[post.person_id].append(post)
        return dict(found)

    @cached_property
    def administrators(self) -> frozenset[str]:
        return frozenset(self.holders(None, "administrator"))

    def posts_of(self, person_id: str) -> list[HeldPost]:
        """The posts of one of these people; empty for a plain member."""
        return self._by_person.get(person_id, [])

    def holders(self, department_id: str | None, *kinds: str) -> list[str]:
        """Who holds one of these posts in the department, or in any, by id; the absent too."""
        departments = self.departments if department_id is None else (department_id,)
        return self._holders(departments, kinds)

    def holders_in(self, department_kind: str, *kinds: str) -> list[str]:
        """As ``holders``, in all departments of one kind, such as the heads of Security."""
        return self._holders((i for i, place in self.departments.items() if place.kind == department_kind), kinds)

    def _holders(self, departments: Iterable[str], kinds: tuple[str, ...]) -> list[str]:
        found: set[str] = set()
        for department_id in departments:
            for kind in kinds:
                found |= self._by_post.get((department_id, kind), set())
        return sorted(found)

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
        """The departments above, the nearest first; a circle ends where it closes."""
        found: list[str] = []
        above = self.departments[department_id].superior_id
        while above is not None and above not in (department_id, *found):
            found.append(above)
            above = self.departments[above].superior_id
        return found

    def departments_of(self, person_id: str) -> set[str]:
        """The departments that one of these people belongs to: the own one, and those of the posts."""
        return {self.people[person_id].department_id, *(post.department_id for post in self.posts_of(person_id))}

    def present(self, people: Iterable[str]) -> list[str]:
        """Those who are not absent, in the given order."""
        return [person for person in people if person not in self.absent]


@dataclass(frozen=True)
class CaseFacts:
    """One case, and who did what in it, in all rounds.

    ``near`` are the drafter, the subjects and those who consented for a department (R17), in this order, each with the
    departments that the person belongs to. ``custodians`` are the named one and whoever was handed a copy.
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


def all_duties() -> dict[str, Text]:
    """Every duty of a case, with who does it."""
    return {
        "applicant": APPLICANT,
        **{duty: Bilingual(who.zh, who.en) for duty, who in STAGES.duties.items()},
        "second-person": SECOND_PERSON,
        "supervision": SUPERVISION,
    }


def duty_refusal(directory: Directory, facts: CaseFacts, duty: str, person_id: str) -> Refused | None:
    """Why the person must not do this duty in the case, whatever the posts; None where nothing forbids it."""
    if person_id in directory.administrators:
        return _refused(
            "administrator",
            Message("Administrators decide nothing and see no footage: leave it to those who may."),
        )
    if person_id in facts.subjects:
        return _refused(
            "subject",
            Message("You are a subject of this case and decide nothing in it: leave it to somebody else."),
        )
    for other, who in all_duties().items():
        if other != duty and person_id in facts.done.get(other, ()):
            return _refused(
                f"was-{other}",
                Message("You are {who} of this case: leave this to somebody else.", who=who),
            )
    if duty == "return-inspection" and person_id in facts.custodians:
        return _refused(
            "was-custodian",
            Message("You are the custodian: somebody else inspects the return."),
        )
    if person_id not in directory.agreed:
        return _refused(
            "agreement-missing",
            Message("You have no valid confidentiality agreement: sign one first."),
        )
    return None


def pools(directory: Directory, facts: CaseFacts, stage: Stage) -> Pools:
    """Who has the post for this stage: those whose task it is first, then their substitutes, group by group."""
    return [list(dict.fromkeys(pool)) for pool in _pools(directory, facts, stage) if pool]


def stages_of(directory: Directory, person_id: str) -> list[str]:
    """The stages that the person's posts may have to do with; the receipt is not among them, it needs no post."""
    held = {post.kind for post in directory.posts_of(person_id)}
    return [code for code, stage in STAGES.items() if held & _posts_for(stage)]


def candidates(directory: Directory, facts: CaseFacts, review: Review) -> list[str]:
    """The people who may decide the review now: the first group with somebody fit and present.

    After the escalation all fit and present people of all groups. Empty when there is nobody.
    """
    return _candidates(directory, facts, review, pools(directory, facts, STAGES[review.stage]))


def refusal_for(
    directory: Directory, facts: CaseFacts, review: Review, person_id: str, *, second: bool = False
) -> Refused | None:
    """Why the person may not decide the review (or be the ``second`` person of it), or None."""
    stage = STAGES[review.stage]
    groups = pools(directory, facts, stage)
    index = next((number for number, group in enumerate(groups) if person_id in group), None)
    if review.stage != "receipt":
        refusal = duty_refusal(directory, facts, "second-person" if second else stage.duty, person_id)
        if refusal is not None and (index is not None or refusal.code != "agreement-missing"):
            return refusal
    if index is None:
        return _refused("not-yours", Message("This review is not among your duties."))
    chosen = _candidates(directory, facts, review, groups)
    # whoever stands before those whose turn it is may decide as well, even where the register has them absent
    turn = max((number for number, group in enumerate(groups) if set(group) & set(chosen)), default=len(groups))
    if index > turn:
        return _refused(
            "not-yet",
            Message("You stand in: decide when those in charge are absent or the review is overdue."),
        )
    return None


def second_people(directory: Directory, facts: CaseFacts, review: Review) -> list[str]:
    """The people who may confirm the review as its second person; the absent too."""
    groups = pools(directory, facts, STAGES[review.stage])
    pool = dict.fromkeys(person for group in groups for person in group)
    return [person for person in pool if refusal_for(directory, facts, review, person, second=True) is None]


def stands_in_for(directory: Directory, facts: CaseFacts, review: Review, person_id: str) -> str | None:
    """The person whose task the review is first, where another one decides it."""
    groups = pools(directory, facts, STAGES[review.stage])
    return groups[0][0] if groups and person_id not in groups[0] else None


def supervision_refusal(directory: Directory, facts: CaseFacts, person_id: str) -> Refused | None:
    """Why a supervisor must not inspect this case, or None (R61: nobody inspects their own cases)."""
    if not directory.holds(person_id, "supervisor"):
        return _refused("not-yours", Message("You are no member of the supervision group."))
    if person_id in facts.custodians:
        return _refused(
            "was-custodian",
            Message("You are the custodian of this case: another member supervises it."),
        )
    return duty_refusal(directory, facts, "supervision", person_id)


def people_concerned(directory: Directory, facts: CaseFacts, *department_kinds: str) -> list[str]:
    """The people near the case who belong to a department of these kinds (T8)."""
    return [
        person_id
        for person_id, own in facts.near.items()
        if any(directory.departments[department_id].kind in department_kinds for department_id in own)
    ]


def consent_givers(directory: Directory, department_id: str, outside: Collection[str]) -> list[str]:
    """Who may consent for the department (R17): the heads; where none can, the deputies; else the heads above.

    None of ``outside``, who are the drafter and the subjects, and no administrator.
    """
    may: list[str] = []
    for pool in _department_pools(directory, department_id):
        fit = [one for one in pool if one not in outside and one not in directory.administrators]
        may += fit
        if directory.present(fit):
            break
    return list(dict.fromkeys(may))


def substitutes(directory: Directory, department_id: str, passed_over: Collection[str]) -> list[str]:
    """Who is notified in the place of somebody of this department: present heads, else present deputies.

    Passed over are that person, and whom the case concerns: that there is one is not theirs to learn (T8).
    """
    for post in ("head", "deputy"):
        fit = [one for one in directory.present(directory.holders(department_id, post)) if one not in passed_over]
        if fit:
            return fit
    return []


def _candidates(directory: Directory, facts: CaseFacts, review: Review, groups: Pools) -> list[str]:
    if review.stage == "receipt":
        return [person_id for group in groups for person_id in group]
    duty = STAGES[review.stage].duty
    fit = [
        directory.present(one for one in group if duty_refusal(directory, facts, duty, one) is None) for group in groups
    ]
    if review.escalated_at is not None:
        return list(dict.fromkeys(person for group in fit for person in group))
    needed = 2 if review.stage == "storage-release" and facts.second_person else 1
    chosen: list[str] = []
    for group in fit:
        chosen += [person for person in group if person not in chosen]
        if len(chosen) >= needed:
            break
    return chosen


def _posts_for(stage: Stage) -> set[str]:
    if isinstance(stage.candidates, str):
        return POSTS[stage.candidates]
    return {post for group in stage.groups for post in group.posts}


def _pools(directory: Directory, facts: CaseFacts, stage: Stage) -> Pools:
    match stage.candidates:
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
        case groups:
            return [_holders(directory, facts, group) for group in groups]


def _holders(directory: Directory, facts: CaseFacts, group: Group) -> list[str]:
    match group.departments:
        case "own":
            return directory.holders(facts.department_id, *group.posts)
        case "any":
            return directory.holders(None, *group.posts)
        case kind:
            return directory.holders_in(kind, *group.posts)


def _department_pools(directory: Directory, department_id: str) -> Pools:
    """T1: the head; where the head drafted it the deputy; else the head of the nearest department above."""
    return [
        directory.holders(department_id, "head"),
        directory.holders(department_id, "deputy"),
        *(directory.holders(above, "head") for above in directory.superiors(department_id)),
    ]


def _sign_off_pools(directory: Directory, facts: CaseFacts) -> Pools:
    of = directory.holders_in
    if people_concerned(directory, facts, "security"):
        # T8: not the own head; administration is the policy's other pillar of the supervision (R61), then legal
        return [of("administration", "head"), of("administration", "deputy"), of("legal", "head")]
    above = [
        directory.holders(superior, "head")
        for department_id in sorted(directory.departments)
        if directory.departments[department_id].kind == "security"
        for superior in directory.superiors(department_id)
    ]
    return [of("security", "head"), of("security", "deputy"), *above]


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
