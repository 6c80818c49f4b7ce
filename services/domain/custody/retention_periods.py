"""How long each class of object is kept, by the organisation's rules: nobody chooses it for one case (T13)."""

from datetime import timedelta
from typing import Literal

from services.runtime.rules import Rules

Kept = Literal["master", "derived", "documents"]


def kept_for(rules: Rules, what: Kept, *, important: bool = False) -> timedelta:
    """Return for how long an object of this class is kept.

    ``documents`` are forms, records, logs and signatures: they stay at least so long, and at least as long as the
    footage that they are about. What is disclosed to people outside is made when it is fetched, and never kept; copies
    of identity cards have a rule of their own (``identity_card_days``).
    """
    match what:
        case "master":
            return rules.important_retention if important else rules.ordinary_retention
        case "derived":
            return rules.derived_retention
        case "documents":
            return rules.document_retention
