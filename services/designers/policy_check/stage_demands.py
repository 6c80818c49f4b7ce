"""Hold the review stages to what the policy asks of them: who decides, how it is signed, what is answered."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any, get_args

from services.designers.policy_check.files import Folder
from services.designers.policy_check.report import Sentence
from services.designers.policy_check.rules import Rule
from services.designers.policy_check.yaml_lines import UnreadableFile
from services.domain.stages.schema import LIMITS, Group, Question, Stage, duration
from services.domain.supervision.checklists import Severity

LEVELS = ("password", "password+totp")
SEVERITIES: tuple[str, ...] = get_args(Severity)
CALENDAR_PER_WORKING = 4.2
"""So much longer a time is that counts in working hours alone: eight of 24 hours, on five of seven days."""


def find_unmet(rules: Sequence[Rule], folder: Folder) -> Iterator[tuple[Rule, Sentence]]:
    """Yield each rule about a stage that the folder does not keep; raises UnreadableFile for an unknown demand."""
    path = folder.rules_path
    for rule in rules:
        if rule.stage is None:
            continue
        stage = folder.stage_file.stages.get(rule.stage.code)
        if stage is None or stage.retired:
            code = rule.stage.code
            yield rule, (f"环节 {code} 不存在或已停用", f"the stage {code} is missing or retired")
            continue
        for demand, value in rule.stage.has.items():
            if demand not in (*_DEMANDS, *_OF_THE_FOLDER):
                known = ", ".join(sorted((*_DEMANDS, *_OF_THE_FOLDER)))
                raise UnreadableFile(path, rule.line, f"{rule.id}: {demand} is none of {known}")
            beside = _OF_THE_FOLDER.get(demand)
            sentence = _DEMANDS[demand](stage, value) if beside is None else beside(folder, value)
            if sentence is not None:
                yield rule, sentence


def _signature(stage: Stage, least: str) -> Sentence | None:
    if LEVELS.index(stage.level) >= LEVELS.index(least):
        return None
    return f"签字强度降为 {stage.level}，应为 {least}", f"it is signed with {stage.level} alone, not with {least}"


def _opinion(stage: Stage, needed: bool) -> Sentence | None:
    if stage.opinion_needed or not needed:
        return None
    return "不再要求书面意见", "no written opinion is asked for any more"


def _questions(stage: Stage, codes: Sequence[str]) -> Sentence | None:
    """Hold the stage to these questions for whatever it asks no others of (``questions about``)."""
    return _yes_to(stage.questions, codes, "")


def _questions_about(stage: Stage, by_kind: Mapping[str, Sequence[str]]) -> Sentence | None:
    found = (_yes_to(stage.asked_about(kind).questions, codes, f" ({kind})") for kind, codes in by_kind.items())
    return next(filter(None, found), None)


def _yes_to(questions: Sequence[Question], codes: Sequence[str], where: str) -> Sentence | None:
    asked = {question.code for question in questions if question.yes_to_approve}
    missing = [code for code in codes if code not in asked]
    if not missing:
        return None
    names = ", ".join(missing)
    return f"同意之前不再要求肯定回答：{names}{where}", f"it can be approved without a yes to: {names}{where}"


def _reasons(stage: Stage, outcomes: Sequence[str]) -> Sentence | None:
    missing = [outcome for outcome in outcomes if outcome not in stage.reason_for]
    if not missing:
        return None
    names = ", ".join(missing)
    return f"下列结论不再要求说明理由：{names}", f"no reason is asked for: {names}"


def _decided_by(stage: Stage, rule: str) -> Sentence | None:
    if stage.candidates == rule:
        return None
    return f"决定人不再由制度规定的办法（{rule}）确定", f"who decides is not found by the policy's rule {rule} any more"


def _duty(stage: Stage, duty: str) -> Sentence | None:
    if stage.duty == duty:
        return None
    return (
        f"职责改为 {stage.duty}：职责分离不再按 {duty} 计算",
        f"its duty is {stage.duty}, so {duty} is not kept apart any more",
    )


def _departments(stage: Stage, allowed: Sequence[str]) -> Sentence | None:
    others = sorted({str(group.departments) for group in stage.groups} - set(allowed))
    if isinstance(stage.candidates, str):
        others = [str(stage.candidates)]
    if not others:
        return None
    names = ", ".join(others)
    return f"不应由这些部门的人决定：{names}", f"people of other departments may decide: {names}"


def _posts(stage: Stage, allowed: Mapping[str, Sequence[str]]) -> Sentence | None:
    others = [f"{post} ({group.departments})" for group in stage.groups for post in _beside(group, allowed)]
    if isinstance(stage.candidates, str):
        others = [str(stage.candidates)]
    if not others:
        return None
    names = ", ".join(dict.fromkeys(others))
    return f"不应由这些岗位的人决定：{names}", f"people of other posts may decide: {names}"


def _beside(group: Group, allowed: Mapping[str, Sequence[str]]) -> list[str]:
    """Return the posts of a group that may not decide: what any department may, each may."""
    posts = {*allowed.get(group.departments, ()), *allowed.get("any", ())}
    return [post for post in group.posts if post not in posts]


def _asks(stage: Stage, codes: Sequence[str]) -> Sentence | None:
    asked = {question.code for question in stage.questions}
    missing = [code for code in codes if code not in asked]
    if not missing:
        return None
    names = ", ".join(missing)
    return f"不再提问：{names}", f"it is answered without the questions: {names}"


def _limit(stage: Stage, most: str) -> Sentence | None:
    if stage.limit_of in LIMITS or _in_calendar(stage) <= duration(most):
        return None
    counted = stage.limit_of if stage.limit_counts == "calendar" else f"{stage.limit_of} ({stage.limit_counts})"
    return f"时限 {counted} 超过 {most}", f"its limit {counted} is longer than {most}"


def _least_limit(stage: Stage, least: str) -> Sentence | None:
    if stage.limit_of in LIMITS or _in_calendar(stage) >= duration(least):
        return None
    return (
        f"时限 {stage.limit_of} 短于 {least}，代理人随即可以代为决定",
        f"its limit {stage.limit_of} is shorter than {least}, after which substitutes decide",
    )


def _in_calendar(stage: Stage) -> timedelta:
    whole = duration(stage.limit_of)
    return whole if stage.limit_counts == "calendar" else whole * CALENDAR_PER_WORKING


def _sanctions(stage: Stage, codes: Sequence[str]) -> Sentence | None:
    missing = [code for code in codes if code not in stage.sanctions]
    if not missing:
        return None
    names = ", ".join(missing)
    return f"不再能作出处罚：{names}", f"it can no longer impose: {names}"


def _returns(stage: Stage, names: Sequence[str]) -> Sentence | None:
    missing = [name for name in names if name not in stage.returns]
    if not missing:
        return None
    listed = ", ".join(missing)
    return f"结论不再带回：{listed}", f"its decision does not bring: {listed}"


def _may_raise(stage: Stage, needed: bool) -> Sentence | None:
    if stage.may_raise or not needed:
        return None
    return "不再能提高重要程度", "whoever decides can no longer raise the importance"


def _may_lower(stage: Stage, allowed: bool) -> Sentence | None:
    if allowed or not stage.may_lower:
        return None
    return "可以降低重要程度", "whoever decides may lower the importance"


def _lost(stage: Stage, most: int) -> Sentence | None:
    if stage.accepts_lost_per_mille <= most:
        return None
    lost = stage.accepts_lost_per_mille
    return f"事先认可缺失 {lost}‰ 的画面", f"{lost} of 1,000 pictures may lack without being asked about"


def _legal_for(folder: Folder, codes: Sequence[str]) -> Sentence | None:
    kinds = folder.stage_file.sanctions
    missing = [code for code in codes if code in kinds and kinds[code].rule is None]
    if not missing:
        return None
    names = ", ".join(missing)
    return f"下列处罚不再经法务部门审核：{names}", f"Legal is no longer asked about: {names}"


def _checklists(folder: Folder, least: Mapping[str, str]) -> Sentence | None:
    questions = folder.checklists.questions()
    missing = [code for code in least if code not in questions]
    lower = [
        code
        for code, severity in least.items()
        if code in questions and SEVERITIES.index(questions[code][1].severity_if_no) < SEVERITIES.index(severity)
    ]
    if missing:
        names = ", ".join(missing)
        return f"检查表不再提问：{names}", f"the checklists ask no more: {names}"
    if lower:
        names = ", ".join(lower)
        return f"下列检查项的严重程度降低：{names}", f"what is found is less severe than before: {names}"
    return None


def _register_answers(folder: Folder, checks: Mapping[str, str]) -> Sentence | None:
    """Hold the questions of the checklists to the checks of the register that answer them beforehand."""
    questions = folder.checklists.questions()
    others = [code for code, name in checks.items() if code in questions and questions[code][1].system != name]
    if not others:
        return None
    names = ", ".join(others)
    return (
        f"下列检查项不再由登记核对，或核对的是别的事：{names}",
        f"the register answers them no more, or answers something else: {names}",
    )


_DEMANDS: Mapping[str, Any] = {
    "signature": _signature,
    "opinion": _opinion,
    "questions": _questions,
    "questions about": _questions_about,
    "asks": _asks,
    "posts": _posts,
    "reasons for": _reasons,
    "decided by": _decided_by,
    "duty": _duty,
    "departments": _departments,
    "limit": _limit,
    "limit at least": _least_limit,
    "sanctions": _sanctions,
    "returns": _returns,
    "may raise": _may_raise,
    "may lower": _may_lower,
    "accepts lost": _lost,
}
_OF_THE_FOLDER: Mapping[str, Any] = {
    "legal for": _legal_for,
    "checklists": _checklists,
    "register answers": _register_answers,
}
