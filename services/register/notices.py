"""Notices to people: a code and a case, never footage or names (F25, R30)."""

from datetime import datetime

from sqlalchemy import ForeignKey, func, select
from sqlalchemy.orm import Mapped, mapped_column

from services.register.base import Base, new_id
from services.register.unit import Unit
from services.runtime.errors import NotFound


class Notice(Base):
    __tablename__ = "notices"

    id: Mapped[str] = mapped_column(primary_key=True, default=new_id)
    person_id: Mapped[str] = mapped_column(ForeignKey("people.id"), index=True)
    application_id: Mapped[str | None] = mapped_column(ForeignKey("applications.id"))
    code: Mapped[str]
    subject_id: Mapped[str | None]
    created_at: Mapped[datetime]
    read_at: Mapped[datetime | None]


def tell(unit: Unit, person_id: str, code: str, *, application_id: str, subject_id: str | None = None) -> Notice:
    """Leave a notice in a person's portal, in the unit's transaction."""
    notice = Notice(
        person_id=person_id, application_id=application_id, code=code, subject_id=subject_id, created_at=unit.now
    )
    unit.session.add(notice)
    return notice


def mine(unit: Unit, *, unread_only: bool = False, limit: int = 50, offset: int = 0) -> list[Notice]:
    """The acting person's notices, the newest first."""
    query = select(Notice).where(Notice.person_id == unit.actor.id).order_by(Notice.created_at.desc(), Notice.id)
    if unread_only:
        query = query.where(Notice.read_at.is_(None))
    return list(unit.session.scalars(query.limit(limit).offset(offset)))


def unread_count(unit: Unit) -> int:
    """How many notices the acting person has not read."""
    count = select(func.count()).where(Notice.person_id == unit.actor.id, Notice.read_at.is_(None))
    return unit.session.scalar(count) or 0


def read(unit: Unit, notice_id: str) -> Notice:
    """Mark one of the acting person's notices as read; NotFound for those of others."""
    notice = unit.session.get(Notice, notice_id)
    if notice is None or notice.person_id != unit.actor.id:
        raise NotFound("通知", "notice", notice_id)
    notice.read_at = notice.read_at or unit.now
    return notice
