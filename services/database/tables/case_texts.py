"""Case texts: what the register is searched for in a case's own words, apart from its long rows (R20)."""

from typing import Any

from sqlalchemy import Connection, ForeignKey, delete, event, insert, inspect, update
from sqlalchemy.orm import Mapped, mapped_column

from services.database.base import Base
from services.database.tables.applications import Application

FIELDS = ("number", "reason", "incident_reference", "title")


class CaseText(Base):
    """Number, reason, incident and title of one application in lower case, a line each.

    It is written with every change of them. A hundred thousand of these are read in a fifth of the time that the
    applications themselves take. Names of people, departments and cameras are not in it: they change, and their tables
    are small.
    """

    __tablename__ = "case_texts"

    application_id: Mapped[str] = mapped_column(ForeignKey("applications.id"), primary_key=True)
    text: Mapped[str]


def text_of(*fields: str | None) -> str:
    """Return the text of these ``FIELDS``."""
    return "\n".join(field for field in fields if field).lower()


@event.listens_for(Application, "after_insert")
def _add(_mapper: Any, connection: Connection, row: Application) -> None:
    connection.execute(insert(CaseText).values(application_id=row.id, text=_text(row)))


@event.listens_for(Application, "after_update")
def _change(_mapper: Any, connection: Connection, row: Application) -> None:
    attributes = inspect(row).attrs
    if any(attributes[name].history.has_changes() for name in FIELDS):
        connection.execute(update(CaseText).where(CaseText.application_id == row.id).values(text=_text(row)))


@event.listens_for(Application, "before_delete")
def _remove(_mapper: Any, connection: Connection, row: Application) -> None:
    connection.execute(delete(CaseText).where(CaseText.application_id == row.id))


def _text(row: Application) -> str:
    return text_of(*(getattr(row, name) for name in FIELDS))
