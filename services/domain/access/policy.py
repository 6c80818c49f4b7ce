"""Who may decide a review, whose turn it is, and who stands in for whom (T1, T8, F26).

Pure functions over the ``Directory`` and the ``CaseFacts``; ``parts`` says whom their own part in the case bars. The
receipt is the custodian's own and no decision on the case: to accept needs only what ``hand_overs.accept`` checks.
"""

from collections import defaultdict
from collections.abc import Collection
from dataclasses import replace

from services.database.tables.reviews import Review
from services.domain.access.directory import LEADERS, Directory
from services.domain.access.parts import (
    OUTSIDE_CODES,
    CaseFacts,
    MatterParts,
    department_refusal,
    duty_refusal,
    matter_refusal,
    people_concerned,
)
from services.domain.stages.catalogue import STAGES
from services.domain.stages.schema import Group, Rule, Stage
from services.runtime.errors import Refused
from services.runtime.translations import Message

# The posts that may lead to a review by a rule; ``pools`` finds the people.
POSTS: dict[Rule, set[str]] = {
    "department": {"head", "deputy"},
    "sign-off": {"head", "deputy"},
    "management": {"manager", "head"},
    "custodian": set(),
    "return-office": {"return-inspector", "security-reviewer", "storage-operator", "deputy", "head"},
    "counterpart": set(),
    "verifier": set(),
    "supervision": set(),
}


Pools = list[list[str]]


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
        posts = {post for group in stage.groups for post in group.posts}
        held = {post.department_id for post in directory.posts_of(person_id) if post.kind in posts}
        return [i for i in directory.departments if i in held]

    return {code: departments(STAGES[code]) for code in stages_of(directory, person_id)}


def led_departments(directory: Directory, person_id: str) -> list[str]:
    """List the departments that the person heads, or for whose head the person may stand in (T1)."""
    posts = directory.posts_of(person_id)
    headed = {post.department_id for post in posts if post.kind == "head"}
    led = headed | {post.department_id for post in posts if post.kind == "deputy"}
    if not led:
        return []
    return [i for i in directory.departments if i in led or (headed and not headed.isdisjoint(directory.superiors(i)))]


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
            matter_refusal(facts, review, person_id)
            or department_refusal(directory, facts, review, person_id)
            or duty_refusal(directory, facts, "second-person" if second else stage.duty, person_id)
        )
        if refusal is not None and (index is not None or refusal.code != "agreement-missing"):
            return refusal
    if index is None:
        return Refused("not-yours", Message("You are not assigned to this review."), status=403)
    if index == 0:
        return None
    # earlier groups than the chosen ones may decide as well, even people recorded as absent; whoever is in several
    # groups counts in the first one alone
    first = {person: number for number, group in reversed(list(enumerate(groups))) for person in group}
    chosen = _candidates(directory, facts, review, groups)
    turn = max((first[person] for person in chosen), default=len(groups))
    if index > turn:
        return Refused("not-yet", _not_yet(directory, chosen), status=403)
    return None


def is_own(stage: Stage) -> bool:
    """Whether the stage asks one named person for their own consent, which is no decision on the case."""
    return stage.candidates in ("custodian", "counterpart")


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
    for refusal in (matter_refusal(facts, review, person_id), duty_refusal(directory, facts, stage.duty, person_id)):
        if refusal is not None and refusal.code in OUTSIDE_CODES:
            return refusal
    for post in directory.posts_of(person_id) if not is_own(stage) else ():
        holders = _holders_of_stage(directory, facts, stage, post.department_id) if post.kind in LEADERS else {}
        kinds = holders.get(review.claimed_by, set()) if review.claimed_by is not None else set()
        outranks = bool(kinds) and (post.kind == "head" or "head" not in kinds)
        if outranks or (holders and review.claimed_by is None):
            return None
    return Refused(
        "not-the-head",
        Message("Only the head or the deputy of the responsible department can reassign a review."),
        status=403,
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
        return Refused("not-yours", Message("You are not a member of the supervision group."), status=403)
    return duty_refusal(directory, facts, "supervision", person_id)


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
            if matter_refusal(facts, review, person) is None
            and department_refusal(directory, facts, review, person) is None
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
        case "counterpart" | "verifier" | "supervision":  # work orders and inspections are no questions of a case
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
        for department_id in directory.departments_of_kind("security")
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
