"""Separation of duties over the whole life of an application, and who may decide which review (T1, T8, F26).

Whoever has done one of ``all_duties`` for an application does none of the others for it, in any round. The people a
case concerns decide nothing in it, administrators decide nothing at all, and nobody decides without a valid
confidentiality agreement (R59). The receipt is the custodian's own and no decision on the case: only accepting needs
what ``hand_overs.accept`` asks for.
"""

from collections.abc import Sequence

from sqlalchemy import select

from services.register import consents, people
from services.register.applications import Application, Revision
from services.register.archive import Return
from services.register.custody import HandOver
from services.register.people import Department
from services.register.reviews import Confirmation, Decision, Proposal, Review
from services.register.stage_shapes import Group, Rule, Stage, Words
from services.register.stages import STAGES
from services.register.unit import Unit
from services.register.valid_agreements import valid_agreement
from services.runtime.errors import Refused

# The duties besides those that the review stages bring.
APPLICANT = Words(zh="申请人", en="the applicant")
SECOND_PERSON = Words(zh="复核人", en="the second person")
SUPERVISION = Words(zh="监督人", en="the supervisor")

# The posts that may bring a review to somebody where a rule finds them; who exactly it is, ``pools`` says.
POSTS: dict[Rule, set[str]] = {
    "department": {"head", "deputy"},
    "sign-off": {"head", "deputy"},
    "management": {"manager", "head"},
    "custodian": set(),
    "return-office": {"return-inspector", "security-reviewer", "storage-operator", "deputy", "head"},
}

Pools = list[list[str]]


def all_duties() -> dict[str, Words]:
    """Every duty of a case, with who does it."""
    return {
        "applicant": APPLICANT,
        **STAGES.duties,
        "second-person": SECOND_PERSON,
        "supervision": SUPERVISION,
    }


def parts(unit: Unit, application: Application) -> dict[str, set[str]]:
    """Who has done which duty for the application so far, in all rounds."""
    done: dict[str, set[str]] = {duty: set() for duty in all_duties()}
    submitters = select(Revision.submitted_by).where(Revision.application_id == application.id)
    # a head who consented that another department applies stands on the applicant's side too (R17)
    consenting = consents.consenters(unit, application.id)
    done["applicant"] = {application.drafter_id, *unit.session.scalars(submitters), *consenting}
    decided = select(Decision.stage, Decision.decided_by).where(Decision.application_id == application.id)
    for stage, person_id in unit.session.execute(decided):
        done.get(STAGES[stage].duty, set()).add(person_id)
    of_case = select(Review.id).where(Review.application_id == application.id)
    proposed = select(Proposal.person_id).where(Proposal.review_id.in_(of_case))
    done["storage-release"] |= set(unit.session.scalars(proposed))
    confirmed = select(Confirmation.person_id).where(Confirmation.review_id.in_(of_case))
    refused = select(Proposal.refused_by).where(Proposal.review_id.in_(of_case), Proposal.refused_by.is_not(None))
    done["second-person"] = {*unit.session.scalars(confirmed), *filter(None, unit.session.scalars(refused))}
    return done


def unfit(
    unit: Unit, application: Application, duty: str, person_id: str, done: dict[str, set[str]] | None = None
) -> Refused | None:
    """Why the person must not do this duty for the application, or None; ``done`` is ``parts``, where it is at hand."""
    if people.holds(unit, person_id, "administrator"):
        return _no(
            "administrator",
            "系统管理员不参与审核，也不接触录像。",
            "Administrators decide nothing and see no footage: leave it to those who may.",
        )
    if person_id in application.subject_ids:
        return _no(
            "subject",
            "您是本案当事人，不能参与审核，请由他人办理。",
            "You are a subject of this case and decide nothing in it: leave it to somebody else.",
        )
    for other, doers in (done or parts(unit, application)).items():
        if other != duty and person_id in doers:
            who = all_duties()[other]
            return _no(
                f"was-{other}",
                f"您是本案的{who.zh}，不能再承担此项职责，请由他人办理。",
                f"You are {who.en} of this case: leave this to somebody else.",
            )
    if duty == "return-inspection" and person_id in _custodians(unit, application):
        return _no(
            "was-custodian",
            "您是本案的保管人，归还检查须由他人办理。",
            "You are the custodian: somebody else inspects the return.",
        )
    if valid_agreement(unit, person_id) is None:
        return _no(
            "agreement-missing",
            "您没有有效的保密协议，请先签订。",
            "You have no valid confidentiality agreement: sign one first.",
        )
    return None


def pools(unit: Unit, review: Review) -> Pools:
    """Who has the post for this review: those whose task it is first, then their substitutes, group by group."""
    application = unit.session.get_one(Application, review.application_id)
    found = _pools(unit, application, STAGES[review.stage])
    return [list(dict.fromkeys(pool)) for pool in found if pool]


def stages_of(unit: Unit, person_id: str) -> list[str]:
    """The stages that the person's posts may have to do with; the receipt is not among them, it needs no post."""
    held = {post.kind for post in people.posts_of(unit, person_id)}
    return [code for code, stage in STAGES.items() if held & _posts_for(stage)]


def _posts_for(stage: Stage) -> set[str]:
    if isinstance(stage.candidates, str):
        return POSTS[stage.candidates]
    return {post for group in stage.groups for post in group.posts}


def candidates(unit: Unit, review: Review) -> list[str]:
    """The people who may decide the review now: the first group with somebody fit and present.

    After the escalation all fit and present people of all groups. Empty when there is nobody.
    """
    application = unit.session.get_one(Application, review.application_id)
    groups = pools(unit, review)
    if review.stage == "receipt":
        return [person_id for group in groups for person_id in group]
    duty, done = STAGES[review.stage].duty, parts(unit, application)
    fit = [
        people.present(unit, (person for person in group if unfit(unit, application, duty, person, done) is None))
        for group in groups
    ]
    if review.escalated_at is not None:
        return list(dict.fromkeys(person for group in fit for person in group))
    needed = 2 if review.stage == "storage-release" and application.second_person else 1
    chosen: list[str] = []
    for group in fit:
        chosen += [person for person in group if person not in chosen]
        if len(chosen) >= needed:
            break
    return chosen


def why_not(unit: Unit, review: Review, person_id: str, *, second: bool = False) -> Refused | None:
    """Why the person may not decide the review (or be the ``second`` person of it), or None."""
    groups = pools(unit, review)
    index = next((number for number, group in enumerate(groups) if person_id in group), None)
    application = unit.session.get_one(Application, review.application_id)
    if review.stage != "receipt":
        refusal = unfit(unit, application, "second-person" if second else STAGES[review.stage].duty, person_id)
        if refusal is not None and (index is not None or refusal.code != "agreement-missing"):
            return refusal
    if index is None:
        return _no("not-yours", "此项审核不属于您的职责。", "This review is not among your duties.")
    chosen = candidates(unit, review)
    # whoever stands before those whose turn it is may decide as well, even where the book has them absent
    turn = max((number for number, group in enumerate(groups) if set(group) & set(chosen)), default=len(groups))
    if index > turn:
        return _no(
            "not-yet",
            "您是代理人，须待负责人缺席或审核超时后方可办理。",
            "You stand in: decide when those in charge are absent or the review is overdue.",
        )
    return None


def stands_in_for(unit: Unit, review: Review, person_id: str) -> str | None:
    """The person whose task the review is first, where another one decides it."""
    groups = pools(unit, review)
    return groups[0][0] if groups and person_id not in groups[0] else None


def may_supervise(unit: Unit, application: Application, person_id: str) -> Refused | None:
    """Why a supervisor must not inspect this case, or None (R61: nobody inspects their own cases)."""
    if not people.holds(unit, person_id, "supervisor"):
        return _no("not-yours", "您不是监督小组成员。", "You are no member of the supervision group.")
    if person_id in _custodians(unit, application):
        return _no(
            "was-custodian",
            "您是本案的保管人，不能监督本案。",
            "You are the custodian of this case: another member supervises it.",
        )
    return unfit(unit, application, "supervision", person_id)


def concerns(unit: Unit, application: Application, *department_kinds: str) -> list[str]:
    """The drafter, the subjects and whoever consented (R17) who belong to a department of these kinds (T8)."""
    near = [application.drafter_id, *application.subject_ids, *sorted(consents.consenters(unit, application.id))]
    return [
        person_id for person_id in dict.fromkeys(near) if people.in_department_of(unit, person_id, *department_kinds)
    ]


def _pools(unit: Unit, application: Application, stage: Stage) -> Sequence[list[str]]:
    match stage.candidates:
        case "department":
            return _department_pools(unit, application.department_id)
        case "sign-off":
            return _sign_off_pools(unit, application)
        case "management":
            return _management_pools(unit, application)
        case "custodian":
            return [[application.custodian_id] if application.custodian_id else []]
        case "return-office":
            return _inspection_pools(unit, application)
        case groups:
            return [_holders(unit, application, group) for group in groups]


def _sign_off_pools(unit: Unit, application: Application) -> Sequence[list[str]]:
    def of(kind: str, *posts: str) -> list[str]:
        return people.holders_in(unit, kind, *posts)

    if concerns(unit, application, "security"):
        # T8: not the own head; administration is the policy's other pillar of the supervision (R61), then legal
        return [of("administration", "head"), of("administration", "deputy"), of("legal", "head")]
    return [of("security", "head"), of("security", "deputy"), *_superior_heads(unit, "security")]


def _holders(unit: Unit, application: Application, group: Group) -> list[str]:
    if group.departments == "own":
        return people.holders(unit, application.department_id, *group.posts)
    if group.departments == "any":
        return people.holders(unit, None, *group.posts)
    return people.holders_in(unit, group.departments, *group.posts)


def _department_pools(unit: Unit, department_id: str) -> Pools:
    """T1: the head; where the head drafted it the deputy; else the head of the nearest department above."""
    above = [people.holders(unit, department.id, "head") for department in people.superiors(unit, department_id)]
    return [people.holders(unit, department_id, "head"), people.holders(unit, department_id, "deputy"), *above]


def _superior_heads(unit: Unit, kind: str) -> Pools:
    departments = unit.session.scalars(select(Department.id).where(Department.kind == kind).order_by(Department.id))
    return [
        people.holders(unit, above.id, "head")
        for department_id in departments
        for above in people.superiors(unit, department_id)
    ]


def _management_pools(unit: Unit, application: Application) -> Pools:
    """T8: where management is concerned, managers of other departments come first, then the other managers."""
    managers = people.holders(unit, None, "manager")
    heads = people.holders_in(unit, "management", "head")
    if application.decided_by != "management-other":
        return [managers, heads]
    near = {
        department
        for person in concerns(unit, application, "management")
        for department in people.departments_of(unit, person)
    }
    far = [person for person in managers if not near & people.departments_of(unit, person)]
    return [far, managers, heads]


def _inspection_pools(unit: Unit, application: Application) -> Pools:
    """T12: the office that the custodian chose; its inspectors, then its other people, then inspectors elsewhere."""
    chosen = unit.session.scalar(
        select(Return.return_to)
        .join(HandOver, HandOver.id == Return.hand_over_id)
        .where(HandOver.application_id == application.id)
    )
    kind = chosen or "security"
    others = {"security": ("security-reviewer", "deputy", "head"), "storage": ("storage-operator", "deputy", "head")}
    return [
        people.holders_in(unit, kind, "return-inspector"),
        people.holders_in(unit, kind, *others[kind]),
        people.holders(unit, None, "return-inspector"),
    ]


def _custodians(unit: Unit, application: Application) -> set[str]:
    handed = select(HandOver.custodian_id).where(HandOver.application_id == application.id)
    return {*filter(None, [application.custodian_id]), *unit.session.scalars(handed)}


def _no(code: str, zh: str, en: str) -> Refused:
    return Refused(code, zh, en, status=403)
