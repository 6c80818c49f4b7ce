"""What is said of versions, and of cases that are moved from one to another, in Chinese and in English."""

from datetime import datetime

Sentence = tuple[str, str]

NOT_RECORDED: Sentence = (
    "案件开始时所用的模型没有记录在案",
    "the models that it began on are not on record, so its way cannot be followed",
)
VERSION_UNKNOWN: Sentence = ("案件目前所用的版本没有记录在案", "the version that it runs on now is not on record")
MOVED: Sentence = ("已迁移", "it was moved")
MOVED_BEFORE: Sentence = ("先前已迁移，现已补记", "it was moved before, which is on record now")
THERE: Sentence = ("已在此版本上", "it runs on them already")
WOULD_BE: Sentence = ("将会迁移：各条规则都成立", "it would be moved: every rule holds")
ENDED: Sentence = ("案件此间已经结束", "it has ended meanwhile")
GONE: Sentence = ("案件此间已结束或已迁移", "it has ended or was moved meanwhile")
WENT_ON: Sentence = ("案件此间有进展，请再运行一次", "it went on meanwhile: run this again")
NOTHING: Sentence = ("没有部署记录", "no version is on record")


def not_deployed(cause: str) -> Sentence:
    return f"引擎不接受这些模型：{cause}", f"the engine does not take these models: {cause}"


def rejected(cause: str) -> Sentence:
    return f"引擎拒绝：{cause}", f"the engine rejects it: {cause}"


def outcome(name: str, why: Sentence, *, is_moved: bool) -> Sentence:
    """Return the line of one case."""
    zh, en = why
    if is_moved:
        return f"✓ {name}：{zh}", f"✓ {name}: {en}"
    return f"✗ {name} 不迁移：{zh}", f"✗ {name} is not moved: {en}"


def total(done: int, left: int) -> Sentence:
    return f"{done} 件在新版本上或可以迁移，{left} 件不可", f"{done} are on these models or may be, {left} are not"


def version(process_id: str, number: int | None, deployed_at: datetime | None, cases: int) -> Sentence:
    """Return the line of one version; ``number`` is None for the cases of which it is not known."""
    counted = "1 open case" if cases == 1 else f"{cases} open cases"
    if number is None:
        return f"版本不明：{cases} 件在办", f"version not known: {counted}"
    when = "" if deployed_at is None else f" ({deployed_at:%Y-%m-%d %H:%M}Z)"
    return f"{process_id} 第 {number} 版{when}：{cases} 件在办", f"{process_id} version {number}{when}: {counted}"


def positions(before: int, at: int, past: int, unknown: int) -> Sentence:
    """Return where the cases of a version stand, to follow its line."""
    zh = f"，改动之前 {before}，正在改动处 {at}，已过 {past}"
    en = f", {before} before the changes, {at} at, {past} past them"
    if unknown:
        return f"{zh}，不明 {unknown}", f"{en}, {unknown} not known"
    return zh, en
