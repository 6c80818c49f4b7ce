"""Robots of chat groups to which notices go: WeCom, DingTalk, Feishu."""

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from services.database.base import Base, new_id

KINDS = ("wecom", "dingtalk", "feishu")


class NoticeRobot(Base):
    """One robot; it is never changed, another takes its place.

    Its address has its token, so address and secret are encrypted under the portal's key; ``shown`` is what pages show
    of the address. ``next_at``: the service takes so many messages a minute, so nothing is sent before.
    """

    __tablename__ = "notice_robots"
    __table_args__ = (
        CheckConstraint(f"kind IN {KINDS!r}", name="kind"),
        Index(
            "ix_notice_robots_open",
            "ended_at",
            sqlite_where=text("ended_at IS NULL"),
            postgresql_where=text("ended_at IS NULL"),
        ),
    )

    id: Mapped[str] = mapped_column(primary_key=True, default=new_id)
    kind: Mapped[str]
    name: Mapped[str]
    language: Mapped[str]
    address: Mapped[str]
    shown: Mapped[str]
    secret: Mapped[str | None]
    added_by: Mapped[str] = mapped_column(ForeignKey("people.id"))
    added_at: Mapped[datetime]
    next_at: Mapped[datetime]
    ended_by: Mapped[str | None] = mapped_column(ForeignKey("people.id"))
    ended_at: Mapped[datetime | None]

    @property
    def channel(self) -> str:
        """The channel of its deliveries."""
        return f"robot:{self.id}"
