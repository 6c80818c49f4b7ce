"""The tables of docs/notices.md: what servers of notices answer, what becomes of it, and what an administrator reads.

Written by ``make channel-docs``; a test gives each answer and compares its row.
"""

import logging
from datetime import timedelta

import structlog

from channels.answers import ANSWERS, Answer
from channels.judged import Verdict, judged
from services.domain.notifications.channels.errors import ERRORS
from services.runtime.places import ROOT

DOCUMENT = ROOT / "docs" / "notices.md"
BEGIN, END = "<!-- begin: {}, by make channel-docs -->", "<!-- end of {} -->"
SERVICES = {"wecom": "WeCom", "dingtalk": "DingTalk", "feishu": "Feishu", "": "each"}
NO_ERRORS = ("taken", "renewed")


def row(answer: Answer) -> str:
    """One line of its table, as the product does it."""
    verdict = judged(answer)
    said_zh = answer.zh if answer.zh != answer.en else "〃"
    where = [SERVICES[answer.kind]] if answer.channel in ("robot", "app") else []
    where += [answer.to] if answer.channel in ("app", "mail") else []
    cells = [answer.en, f"`{verdict.code}`", _en(verdict), _told(verdict), said_zh, _zh(verdict)]
    return f"| {' | '.join([*where, *cells])} |"


def sentences(codes: set[str]) -> str:
    """The table of what an administrator reads, for these codes."""
    lines = ["| | the administrator reads | 管理员看到 |", "|---|---|---|"]
    lines += [
        f"| `{code}` | {message.translate('en')} | {message.translate('zh')} |"
        for code, message in ERRORS.items()
        if code in codes
    ]
    return "\n".join(lines)


def tables() -> dict[str, str]:
    """The parts of the document between its marks, by name."""
    heads = {
        "robot": ["service"],
        "app": ["app", "to"],
        "mail": ["to"],
        "webhook": [],
    }
    parts = {}
    for channel, where in heads.items():
        head = [*where, "answer", "becomes", "the desk", "told", "回答", "录像台"]
        rows = [row(answer) for answer in ANSWERS if answer.channel == channel]
        parts[channel] = "\n".join([f"| {' | '.join(head)} |", "|" + "---|" * len(head), *rows])
    parts["reasons"] = sentences({judged(answer).code for answer in ANSWERS} - set(NO_ERRORS))
    return parts


def document() -> str:
    """The document as it should be."""
    made = tables()  # which takes minutes
    text = DOCUMENT.read_text(encoding="utf-8")
    for name, table in made.items():
        begin, end = BEGIN.format(name), END.format(name)
        before, found, rest = text.partition(begin)
        _, ended, after = rest.partition(end)
        if not found or not ended:
            raise ValueError(f"{DOCUMENT.name} has lost its marks {begin} and {end}")
        text = f"{before}{begin}\n\n{table}\n\n{end}{after}"
    return text


def _en(verdict: Verdict) -> str:
    if verdict.code in NO_ERRORS:
        return "delivered" if verdict.code == "taken" else "sent once more with a new token, delivered"
    done = "given up at once"
    if verdict.attempts > 1:
        done = f"again after {_length(verdict.after)}, {verdict.attempts} times in {_length(verdict.lasted)}"
    return done + (", then mailed" if verdict.instead else "")


def _zh(verdict: Verdict) -> str:
    if verdict.code in NO_ERRORS:
        return "送达" if verdict.code == "taken" else "换新令牌再发一次，送达"
    done = "立即放弃"
    if verdict.attempts > 1:
        done = f"{_length_zh(verdict.after)}后再发，{_length_zh(verdict.lasted)}内共 {verdict.attempts} 次"
    return done + ("，之后改发邮件" if verdict.instead else "")


def _told(verdict: Verdict) -> str:
    """When administrators are told, in hours and minutes."""
    if verdict.told is None:
        return ""
    hours, minutes = divmod(round(verdict.told / timedelta(minutes=1)), 60)
    return f"{hours}:{minutes:02}"


def _length(span: timedelta) -> str:
    hours, minutes = divmod(round(span / timedelta(minutes=1)), 60)
    return " ".join([f"{hours} h"] * bool(hours) + [f"{minutes} min"] * bool(minutes))


def _length_zh(span: timedelta) -> str:
    hours, minutes = divmod(round(span / timedelta(minutes=1)), 60)
    return f"{hours} 小时" * bool(hours) + " " * bool(hours and minutes) + f"{minutes} 分钟" * bool(minutes)


if __name__ == "__main__":
    # of each attempt that fails the sender writes a line
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    DOCUMENT.write_text(document(), encoding="utf-8")
