"""The mail server that administrators set on a page, where the settings name none."""

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from services.database.base import Base, new_id

SECURITY = ("starttls", "tls", "none")
_OPEN = text("ended_at IS NULL")


class MailServer(Base):
    """One mail server; it is never changed, another takes its place. The password is encrypted by the portal's key."""

    __tablename__ = "mail_servers"
    __table_args__ = (
        CheckConstraint(f"security IN {SECURITY!r}", name="security"),
        Index("ix_mail_servers_open", "ended_at", sqlite_where=_OPEN, postgresql_where=_OPEN),
    )

    id: Mapped[str] = mapped_column(primary_key=True, default=new_id)
    host: Mapped[str]
    port: Mapped[int]
    security: Mapped[str]
    sender: Mapped[str]
    username: Mapped[str | None]
    password: Mapped[str | None]
    authority: Mapped[str | None]  # certificates to trust, in PEM
    set_by: Mapped[str] = mapped_column(ForeignKey("people.id"))
    set_at: Mapped[datetime]
    ended_by: Mapped[str | None] = mapped_column(ForeignKey("people.id"))
    ended_at: Mapped[datetime | None]

    @property
    def channel(self) -> str:
        """The channel of what it still sends once it has ended; before, that is ``mail``."""
        return f"mail:{self.id}"
