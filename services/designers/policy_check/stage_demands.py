"""Hold the review stages to what the policy asks of them: who decides, how it is signed, what is answered."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from services.designers.policy_check.report import Sentence
from services.designers.policy_check.rules import Rule
from services.designers.policy_check.yaml_lines import UnreadableFile
from services.domain.stages.schema import LIMITS, Group, Stage, duration

LEVELS = ("password", "password+totp")


def find_unmet(rules: Sequence[Rule], stages: Mapping[str, Stage], path: Path) -> Iterator[tuple[Rule, Sentence]]:
    """Yield each rule about a stage that the stages do not keep; raises UnreadableFile for an unknown demand."""
    for rule in rules:
        if rule.stage is None:
            continue
        stage = stages.get(rule.stage.code)
        if stage is None or stage.retired:
            code = rule.stage.code
            yield rule, (f"环节 {code} 不存在或已停用", f"the stage {code} is missing or retired")
            continue
        for demand, value in rule.stage.has.items():
            if demand not in _DEMANDS:
                raise UnreadableFile(path, rule.line, f"{rule.id}: {demand} is none of {', '.join(sorted(_DEMANDS))}")
            sentence = _DEMANDS[demand](stage, value)
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
    asked = {question.code for question in stage.questions if question.yes_to_approve}
    missing = [code for code in codes if code not in asked]
    if not missing:
        return None
    names = ", ".join(missing)
    return f"同意之前不再要求肯定回答：{names}", f"it can be approved without a yes to: {names}"


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
    if stage.limit_of in LIMITS or duration(stage.limit_of) <= duration(most):
        return None
    return f"时限 {stage.limit_of} 超过 {most}", f"its limit {stage.limit_of} is longer than {most}"


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


_DEMANDS: Mapping[str, Any] = {
    "signature": _signature,
    "opinion": _opinion,
    "questions": _questions,
    "asks": _asks,
    "posts": _posts,
    "reasons for": _reasons,
    "decided by": _decided_by,
    "duty": _duty,
    "departments": _departments,
    "limit": _limit,
    "returns": _returns,
    "may raise": _may_raise,
    "may lower": _may_lower,
    "accepts lost": _lost,
}
