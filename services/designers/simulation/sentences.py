"""Say what a simulated year came to, in Chinese and in English."""

from collections.abc import Iterator, Sequence

from services.designers.policy_check.report import Sentence
from services.designers.simulation.models import CannotEnd
from services.designers.simulation.result import Count, Result, StageFigures

SOURCES: dict[str, Sentence] = {
    "demo": ("演示数据", "the demo set"),
    "history": ("登记的历史", "the register's history"),
}
STAGE_HEADS: tuple[Sentence, ...] = (
    ("环节", "stage"),
    ("次数", "times"),
    ("平均（小时）", "mean, hours"),
    ("中位数", "median"),
    ("九成以内", "nine of ten"),
    ("其中等人", "of it for people"),
    ("占比", "share"),
)
CHANGE_HEADS: tuple[Sentence, ...] = (
    ("环节（每案小时）", "stage, hours a case"),
    ("改动前", "before"),
    ("改动后", "after"),
    ("差", "change"),
)
_HOURS_IN_DAY = 24
_LONG = 48  # hours, from which on days are said


def where_the_time_goes(result: Result) -> Sentence:
    """Say in one sentence how long cases take, and where."""
    of_zh, of_en = SOURCES[result.source]
    begin_zh = f"{result.cases} 个案件（{of_zh}，种子 {result.seed}）"
    begin_en = f"{result.cases} cases, drawn from {of_en} (seed {result.seed})"
    if not result.ended or not result.stages:
        return f"{begin_zh}：没有一个案件结束。", f"{begin_en}: none of them has ended."
    most = result.stages[0]
    of_wait_zh, of_wait_en = "", ""
    if most.waited >= 0.1:
        of_wait_zh = f"，其中{_zh(most.waited)}没有可办理的人空闲"
        of_wait_en = f", in {_en(most.waited)} of which nobody who may decide was free"
    return (
        f"{begin_zh}：不计使用期，每案平均 {result.mean_days:.1f} 天，九成在 {result.ninetieth_days:.1f} 天内结束；"
        f"{_percent(most.share)} 的时间用在“{most.zh}”，每次平均{_zh(most.mean)}{of_wait_zh}。",
        f"{begin_en}: without the use period a case takes {result.mean_days:.1f} days on average, nine of ten end "
        f"within {result.ninetieth_days:.1f}; most of the time, {_percent(most.share)}, goes into {most.en}, "
        f"{_en(most.mean)} each time{of_wait_en}.",
    )


def what_is_lost(result: Result) -> Sentence:
    """Say how many recordings are overwritten before they are retrieved."""
    of = result.recordings
    share = _percent(of.lost / of.all if of.all else 0)
    return (
        f"{of.all} 段录像中有 {of.lost} 段（{share}）在调取前被覆盖，其中 {of.lost_before} 段在提交申请时已被覆盖；"
        f"{of.preserved} 段已事先保全。",
        f"{of.lost} of {of.all} recordings ({share}) are overwritten before they are retrieved, {of.lost_before} of "
        f"them were so when the application was submitted; {of.preserved} were preserved beforehand.",
    )


def warnings(result: Result) -> Iterator[Sentence]:
    """Say what keeps cases from ending: nobody to decide, incidents of the model, places where nothing comes."""
    for count in result.undecidable:
        yield (
            f"“{count.zh}”有 {count.count} 次没有人可办理：请为这一环节指定人员或替补。",
            f"Nobody may decide {count.en}, {count.count} times: give somebody the post, or name substitutes.",
        )
    for count in result.stops:
        yield (
            f"流程在“{count.zh}”停住 {count.count} 次：{count.detail}",
            f"The process stops {count.count} times at {count.en}: {count.detail}",
        )
    for count in result.unended:
        yield (
            f"{count.count} 个案件一年之后仍停在“{count.zh}”。",
            f"{_many(count)} still at {count.en} a year after the last was submitted.",
        )


def no_end(error: CannotEnd) -> Sentence:
    """Say that a case would go on for ever, and where."""
    zh, en = error.sentence
    return f"流程无法结束：{zh}。", f"The cases cannot end: {en}"


def _many(count: Count) -> str:
    return f"{count.count} cases are" if count.count != 1 else "1 case is"


def difference(before: Result, after: Result) -> Sentence:
    """Say in one sentence what an edit changes."""
    days = after.mean_days - before.mean_days
    of_zh, of_en = _moved(before, after)
    share = f"{days / before.mean_days:+.0%}" if before.mean_days else ""
    lost = after.recordings.lost - before.recordings.lost
    change = f"{before.mean_days:.1f} → {after.mean_days:.1f}"
    if abs(days) < 0.05:
        zh, en = (
            f"改动之后每案平均用时不变（{before.mean_days:.1f} 天）{of_zh}",
            f"After the edit a case takes as long as before ({before.mean_days:.1f} days){of_en}",
        )
    else:
        zh = f"改动之后每案平均{'多' if days > 0 else '少'}用 {abs(days):.1f} 天（{change} 天，{share}）{of_zh}"
        en = (
            f"After the edit a case takes {abs(days):.1f} days {'longer' if days > 0 else 'less'} "
            f"({change} days, {share}){of_en}"
        )
    if not lost:
        return f"{zh}；被覆盖的录像数量不变（{after.recordings.lost}）。", (
            f"{en}; as many recordings are overwritten ({after.recordings.lost})."
        )
    lost_change = f"{before.recordings.lost} → {after.recordings.lost}"
    return (
        f"{zh}；被覆盖的录像{'多' if lost > 0 else '少'} {abs(lost)} 段（{lost_change}）。",
        f"{en}; {abs(lost)} {'more' if lost > 0 else 'fewer'} recordings are overwritten ({lost_change}).",
    )


def not_simulated(processes: Sequence[str]) -> Sentence:
    """Say which processes of the folder the year does not run."""
    names = ", ".join(processes)
    return (
        f"只模拟申请的流程；未模拟：{names}。",
        f"Only the case of an application is simulated, and not: {names}.",
    )


def changes_by_stage(before: Result, after: Result) -> list[tuple[StageFigures, float, float]]:
    """List the stages with their hours a case before and after, what changed most first."""
    was = {stage.name: stage.per_case for stage in before.stages}
    is_now = {stage.name: stage.per_case for stage in after.stages}
    stages = {stage.name: stage for stage in (*before.stages, *after.stages)}
    changes = [(stage, was.get(name, 0.0), is_now.get(name, 0.0)) for name, stage in stages.items()]
    return sorted(changes, key=lambda row: (-abs(row[2] - row[1]), row[0].name))


def _moved(before: Result, after: Result) -> Sentence:
    changes = changes_by_stage(before, after)
    if not changes or abs(changes[0][2] - changes[0][1]) < 0.1:
        return "", ""
    stage, was, is_now = changes[0]
    amount = is_now - was
    return (
        f"，变化最大的是“{stage.zh}”（每案{'多' if amount > 0 else '少'}{_zh(abs(amount))}）",
        f", most of it in {stage.en} ({_en(abs(amount))} {'more' if amount > 0 else 'less'} a case)",
    )


def _percent(share: float) -> str:
    return f"{share:.1%}" if share < 0.1 else f"{share:.0%}"


def _zh(hours: float) -> str:
    return f" {hours / _HOURS_IN_DAY:.1f} 天" if hours >= _LONG else f" {hours:.1f} 小时"


def _en(hours: float) -> str:
    return f"{hours / _HOURS_IN_DAY:.1f} days" if hours >= _LONG else f"{hours:.1f} hours"
