"""The fields with which Security narrows what is granted: for each item whether, from when, and until when (R4)."""

from collections.abc import Sequence
from typing import Any

from services.domain.cases.review_sheets import SheetItem
from services.runtime import local_times
from services.runtime.errors import Refused
from services.web.forms import TypedForm


def shown(items: Sequence[SheetItem]) -> list[dict[str, Any]]:
    """Each item's fields: what was asked for as a browser's local times in the item's zone, and its length."""
    return [
        {
            "item": item,
            "name": f"scope-{place}",
            "start": local_times.local_text(item.asked.start, item.zone)[0],
            "end": local_times.local_text(item.asked.end, item.zone)[0],
            "seconds": int(item.asked.duration.total_seconds()),
        }
        for place, item in enumerate(items)
    ]


def granted(typed: TypedForm, items: Sequence[SheetItem]) -> dict[str, Any]:
    """``scope`` and ``removed`` of a decision. Refused, naming the field, for a time that cannot be read.

    An end that was left as it stands is the asked one to the millisecond: a browser's field knows whole seconds.
    """
    scope, removed = [], []
    for place, item in enumerate(items):
        name = f"scope-{place}"
        if f"{name}-shown" in typed and not typed.text(f"{name}-granted"):
            removed.append(item.id)
            continue
        start = _moment(typed, f"{name}-start", item, item.asked.start)
        end = _moment(typed, f"{name}-end", item, item.asked.end)
        if (start, end) != (item.asked.start, item.asked.end):
            scope.append({"itemId": item.id, "start": start, "end": end})
    return {"scope": scope, "removed": removed}


def _moment(typed: TypedForm, name: str, item: SheetItem, asked: Any) -> Any:
    text = typed.text(name)
    before, which = local_times.local_text(asked, item.zone)
    if not text or before in {text, f"{text}:00"}:
        return asked
    try:
        return local_times.moment(text, item.zone, which=which or "first")
    except Refused as refusal:
        raise Refused(refusal.code, refusal.message, status=422, field=name) from refusal
