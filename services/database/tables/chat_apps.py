"""Apps of WeCom, DingTalk and Feishu that write to single persons; one is in use."""

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from services.database.base import Base, new_id

KINDS = ("wecom", "dingtalk", "feishu")
_OPEN = text("ended_at IS NULL")


class ChatApp(Base):
    """One app; it is never changed, another takes its place.

    ``account`` is the corp id (WeCom), the app key (DingTalk) or the app id (Feishu), ``agent`` the agent id (WeCom) or
    the robot code (DingTalk), ``id_type`` says what the ids of people are (Feishu). Secret and access token are
    encrypted under the portal's key; the token counts up to ``token_until``, by the real clock. ``next_at``: the
    service takes so many messages in a time, so nothing is sent before.
    """

    __tablename__ = "chat_apps"
    __table_args__ = (
        CheckConstraint(f"kind IN {KINDS!r}", name="kind"),
        Index("ix_chat_apps_open", "ended_at", sqlite_where=_OPEN, postgresql_where=_OPEN),
    )

    id: Mapped[str] = mapped_column(primary_key=True, default=new_id)
    kind: Mapped[str]
    address: Mapped[str]
    account: Mapped[str]
    agent: Mapped[str | None]
    id_type: Mapped[str | None]
    secret: Mapped[str]
    token: Mapped[str | None]
    token_until: Mapped[datetime | None]
    set_by: Mapped[str] = mapped_column(ForeignKey("people.id"))
    set_at: Mapped[datetime]
    next_at: Mapped[datetime]
    ended_by: Mapped[str | None] = mapped_column(ForeignKey("people.id"))
    ended_at: Mapped[datetime | None]

    @property
    def channel(self) -> str:
        """The channel of its deliveries."""
        return f"app:{self.id}"
