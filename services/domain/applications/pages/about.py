"""What a case is about as cells of a CSV list: title, cameras, place, span."""

from services.domain.applications.schemas import CaseAbout
from services.web import lists
from services.web.csv import Cell
from services.web.visitor import Visitor


def _(message: str) -> str:
    """Mark a text for translation."""
    return message


HEADER = (_("Title"), _("First camera"), _("Number of cameras"), _("Place"), _("Footage begins"), _("Footage ends"))


def header(visitor: Visitor) -> list[str]:
    return [visitor.translated(name) for name in HEADER]


def cells(visitor: Visitor, about: CaseAbout) -> list[Cell]:
    """Return the cells under ``HEADER``; only the title is there without an item."""
    if not about.cameras:
        return [about.title, None, None, None, None, None]
    return [
        about.title,
        lists.named(visitor, about, "camera"),
        about.cameras,
        lists.named(visitor, about, "place"),
        lists.written(visitor, about.start, about.zone),
        lists.written(visitor, about.end, about.zone),
    ]
