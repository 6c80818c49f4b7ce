"""What the custodian's pages show beside the books' own words: spans, loans in order of urgency, clearer refusals."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from services.domain.custody.queries import CopyView
from services.runtime.errors import Refused
from services.runtime.spans import Span
from services.vault.coverage import span_from_json

# A field that was left out, by its last word: the sentence that names it as the page does.
MISSING = {
    "password": ("请输入密码。", "Enter your password."),
    "conditionsVersion": ("请勾选您已阅读使用条件。", "Tick that you have read the conditions."),
    "reason": ("请写明拒收的原因。", "Say why you do not take the copies."),
    "kind": ("请选择丢失、损坏或泄露。", "Choose lost, damaged or leaked."),
    "whatHappened": ("请写明经过。", "Say what happened."),
    "returnTo": (
        "请选择归还至安全保卫部门或存储管理部门。",
        "Choose Security or the storage office for the return.",
    ),
    "fate": ("每次下载须注明已销毁或已交还。", "Say of each download whether it was destroyed or given back."),
    "recipient": ("请填写您自己的 age 公钥。", "Give your own age recipient."),
    "medium": ("请注明文件将存放在何种介质上。", "Say on which medium the file will be kept."),
}


@dataclass(frozen=True)
class Pictured:
    """A copy's footage on its time line: ``whole`` from the first picture to the last, lead-in and tail included."""

    asked: Span
    whole: Span
    covered: list[Span]
    gaps: list[Span]


def pictured(copy: CopyView) -> Pictured:
    """The spans of a copy, whose coverage is JSON in the books."""
    coverage: dict[str, Any] = copy.coverage
    covered = [span_from_json(one) for one in coverage["covered"]]
    first, last = (datetime.fromisoformat(coverage[name]) for name in ("firstFrame", "lastFrame"))
    ends = [last, *(span.end for span in covered)]
    return Pictured(
        asked=span_from_json(coverage["asked"]),
        whole=Span(min([first, *(span.start for span in covered)]), max(ends)),
        covered=covered,
        gaps=[span_from_json(one) for one in coverage["gaps"]],
    )


def clearer(refusal: Refused) -> Refused:
    """The refusal of a form; where a field was left out, in the words of the page and not of the field."""
    words = MISSING.get((refusal.field or "").rpartition("-")[2])
    if words is None or refusal.code not in {"missing", "literal-error"}:
        return refusal
    return Refused(refusal.code, *words, status=refusal.status, field=refusal.field)
