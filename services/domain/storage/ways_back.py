"""Differences to the process engine in a sentence: what stands still or runs on, and what is done about it (R53)."""

from collections.abc import Mapping
from typing import Any

from services.domain.matters.kinds import KINDS as MATTERS
from services.domain.matters.kinds.urgent import UrgentRetrieval
from services.domain.reviews.moot_matters import OUTLIVING
from services.domain.work_orders import service
from services.domain.work_orders.kinds import KINDS as WORK_ORDERS
from services.runtime.labels import Label
from services.runtime.translations import Bilingual, Message, Text

CASE, INSPECTION = "case", "inspection"  # what a difference says it is of, where its register has no kinds
_WITHOUT_INSTANCE = "-without-instance"


def sentence(kind: str, subject: str, detail: Mapping[str, Any]) -> Message | None:
    """Return what a difference of this kind means and how it is ended; None for those that are not of the engine.

    None as well for one of an earlier release, which does not say what it is of.
    """
    if "process" in detail:
        return Message(
            "The process instance {number} is of nothing that is open in the register. {way}",
            number=subject,
            way=Label("way-back-end"),
        )
    of = detail.get("of")
    if not isinstance(of, str):
        return None
    if not kind.endswith(_WITHOUT_INSTANCE):
        return Message(
            "{kind} {number} is closed, and a process instance of it still runs. {way}",
            kind=_name(of),
            number=subject,
            way=Label("way-back-end"),
        )
    return Message(
        "{kind} {number} is open, and the process engine has no instance of it: it stands still. {way}",
        kind=_name(of),
        number=subject,
        way=Label(f"way-back-{_way_back(of)}"),
    )


def _name(of: str) -> Text:
    if of in MATTERS:
        return MATTERS[of].label
    if of in WORK_ORDERS:
        known = WORK_ORDERS[of]
        return Message("Work order ({kind})", kind=Bilingual(known.zh, known.en))
    return Message("Inspection") if of == INSPECTION else Message("Case")


def _way_back(of: str) -> str:
    if of in MATTERS:
        if MATTERS[of].withdrawable:
            return "withdraw"
        if of == UrgentRetrieval.code:
            return "urgent"
        return "restore" if of in OUTLIVING else "loan"
    if of in WORK_ORDERS:
        return "restore" if of in service.UNTIL_DONE else "cancel"
    return "case" if of == CASE else "restore"
