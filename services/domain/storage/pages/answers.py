"""What the pages of storage answer alike after an act."""

from services.runtime.errors import NotFound, Refused
from services.runtime.translations import Message

SAVED = Message("Saved.")


def raise_unless_shown(refusal: Refused | None) -> None:
    """Raise what is no fault of what was typed: it is answered on a page of its own."""
    if refusal is not None and (refusal.status in (403, 404) or isinstance(refusal, NotFound)):
        raise refusal
