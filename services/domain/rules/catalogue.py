"""The rules that administrators change: what each means in words, and how its value is written, checked and applied.

A rule has the name of its setting among ``rules``, and its constraints are the setting's own.
"""

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, Literal

from pydantic import BaseModel, ValidationError, create_model

from services.runtime.errors import Refused
from services.runtime.rules import Rules
from services.runtime.settings import all_settings

Kind = Literal["duration", "days", "hours", "count", "choice", "text"]
EXPECTED = {
    "duration": (
        "请填写时长：整数加小时或天，不超过 100 年。",
        "Give a duration in whole minutes, hours or days, such as PT24H or P3D, of 100 years at most.",
    ),
    "days": ("请填写 1 至 36500 之间的整天数。", "Give a whole number of days from 1 to 36500."),
    "hours": ("请填写 1 至 8760 之间的整小时数。", "Give a whole number of hours from 1 to 8760."),
    "count": ("请填写 1 至 200 之间的整数。", "Give a whole number from 1 to 200."),
    "choice": ("请从给出的选项中选择。", "Choose one of those offered."),
    "text": ("请填写内容，不超过 100 个字符。", "Give a text of 100 characters at most."),
}
DAY, HOUR, MINUTE = timedelta(days=1), timedelta(hours=1), timedelta(minutes=1)


@dataclass(frozen=True)
class Rule:
    """One rule. ``field`` is its name in ``Rules`` where that differs from the setting's."""

    name: str
    kind: Kind
    zh: str
    en: str
    meaning_zh: str
    meaning_en: str
    field: str = ""
    choices: tuple[tuple[str, str, str], ...] = ()  # value, zh, en
    by_itself: bool = True  # False: changes with something else, not by hand

    @property
    def setting(self) -> str:
        """The path of its setting: the organisation's name is one of the whole house."""
        return self.name if self.name == "organisation" else f"rules.{self.name}"

    def parse(self, text: str) -> Any:
        """The value in the setting's type; Refused with what to give."""
        info = all_settings()[self.setting]
        model: type[BaseModel] = create_model("Value", value=(info.annotation, info))  # type: ignore[arg-type]  # as pydantic holds them
        try:
            value = getattr(model.model_validate({"value": text}), "value", None)
        except (ValidationError, OverflowError):
            value = None
        spelled = not (self.kind == "duration" and text[:1] != "P") and len(text) <= 100
        if value is None or not spelled or (isinstance(value, timedelta) and value % MINUTE):
            zh, en = EXPECTED[self.kind]
            raise Refused("rule-value", f"{self.zh}：{zh}", f"{self.en}: {en}", status=422, field="value")
        return value

    def normal(self, text: str) -> str:
        """The one way in which this value is written."""
        value = self.parse(text)
        return written(value) if isinstance(value, timedelta) else str(value)

    def apply(self, rules: Rules, text: str) -> Rules:
        """The rules with this one at the value."""
        value = self.parse(text)
        if isinstance(getattr(rules, self.field or self.name), timedelta) and isinstance(value, int):
            value *= HOUR if self.kind == "hours" else DAY
        return replace(rules, **{self.field or self.name: value})

    def text(self, rules: Rules) -> str | None:
        """The value as ``normal`` writes it; None where it is not set."""
        value = getattr(rules, self.field or self.name)
        if not isinstance(value, timedelta):
            return None if value is None else str(value)
        if self.kind == "duration":
            return written(value)
        return str(value // (HOUR if self.kind == "hours" else DAY))

    def said(self, text: str | None) -> tuple[str, str]:
        """The value in words, Chinese and English."""
        if text is None:
            return "未设置", "not set"
        if self.kind == "duration":
            return said_duration(self.parse(text))
        if self.kind in UNITS:
            zh, en = UNITS[self.kind]
            return f"{text} {zh}", f"{text} {en if text != '1' else en.removesuffix('s')}"
        return next(((zh, en) for value, zh, en in self.choices if value == text), (text, text))


UNITS = {"days": ("天", "days"), "hours": ("小时", "hours"), "count": ("项", "items")}


def written(value: timedelta) -> str:
    """A duration of whole minutes as people would write it in ISO 8601."""
    if value % DAY == timedelta():
        return f"P{value // DAY}D"
    return f"PT{value // HOUR}H" if value % HOUR == timedelta() else f"PT{value // MINUTE}M"


def said_duration(value: timedelta) -> tuple[str, str]:
    """A duration in its largest whole unit."""
    for uow, zh, en in ((DAY, "天", "days"), (HOUR, "小时", "hours")):
        if value >= uow and value % uow == timedelta():
            number = value // uow
            return f"{number} {zh}", f"{number} {en if number != 1 else en.removesuffix('s')}"
    number = value // MINUTE
    return f"{number} 分钟", f"{number} minutes" if number != 1 else "1 minute"


RULES = {
    rule.name: rule
    for rule in (
        Rule(
            *("organisation", "text", "单位名称", "organisation's name"),
            "表单、记录和标签上的单位名称。",
            "The name on forms, records and labels.",
        ),
        Rule(
            *("max_use_days", "days", "最长使用期限", "longest use period"),
            "副本最多可以借用多少天；未设置时不发放任何副本。",
            "For how many days a copy may be lent at most; nothing is handed over while it is not set.",
        ),
        Rule(
            *("max_span_hours", "hours", "单项最长时间段", "longest span of one item"),
            "一个申请项最多可以申请多长的录像。",
            "How much footage one item may ask for.",
            field="max_span",
        ),
        Rule(
            *("max_items", "count", "一份申请的最多项数", "items of one application"),
            "一份申请最多可以包含多少个申请项。",
            "How many items one application may have at most.",
        ),
        Rule(
            *("review_limit", "duration", "审核时限", "time for a review"),
            "初审、安全审核、签字和管理层审批各自的时限；超过后升级。",
            "The time for each of preliminary review, security review, sign-off and management decision; "
            "then it escalates.",
        ),
        Rule(
            *("first_reminder_after", "duration", "首次催办", "first reminder"),
            "审核任务开始后多久第一次催办（不晚于时限的一半）。",
            "How long after a review has opened its people are reminded first, at half its time at the latest.",
        ),
        Rule(
            *("notify_limit", "duration", "通知存储部门的时限", "time to notify storage"),
            "批准后多久之内必须通知存储部门。",
            "Within what time storage is told after the approval.",
        ),
        Rule(
            *("release_limit", "duration", "存储部门放行时限", "time for the release"),
            "存储部门收到通知后放行的时限。",
            "The time that the storage office has for the release.",
        ),
        Rule(
            *("correction_period", "duration", "补正期限", "time to correct"),
            "退回的申请须在多久之内补正，过期作废。",
            "Within what time an application that was sent back is corrected; then it expires.",
        ),
        Rule(
            *("take_up_period", "duration", "领取期限", "time to take up a copy"),
            "副本备好后保管人须在多久之内签收。",
            "Within what time the custodian accepts a copy that is ready.",
        ),
        Rule(
            *("reminder_lead", "duration", "到期提醒提前量", "reminder before the due date"),
            "使用期限到期前多久提醒归还。",
            "How long before the due date the custodian is reminded to return.",
        ),
        Rule(
            *("grace_period", "duration", "逾期宽限", "grace after the due date"),
            "到期后多久仍未归还即记为违规。",
            "How long after the due date a copy that is not back becomes a violation.",
        ),
        Rule(
            *("preservation", "choice", "预先保全", "preservation"),
            "申请提交后，哪些录像在审批期间先行保全。",
            "Which footage is preserved while an application is still being decided.",
            field="preserve",
            choices=(
                ("always", "全部保全", "always"),
                ("at-risk", "可能被覆盖的", "what may be overwritten"),
                ("never", "不保全", "never"),
            ),
        ),
        Rule(
            *("ordinary_retention_days", "days", "一般录像的存档期限", "retention of ordinary footage"),
            "归档的一般录像保存多少天。",
            "For how many days ordinary footage stays in the archive.",
            field="ordinary_retention",
        ),
        Rule(
            *("important_retention_days", "days", "重要录像的存档期限", "retention of important footage"),
            "归档的重要录像保存多少天。",
            "For how many days important footage stays in the archive.",
            field="important_retention",
        ),
        Rule(
            *("agreement_version", "text", "保密协议版本", "version of the confidentiality agreement"),
            "须签订的保密协议版本；发布新版协议时随之变更。",
            "The agreement that has to be signed; it changes when a new one is issued.",
            by_itself=False,
        ),
    )
}
