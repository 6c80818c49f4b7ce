"""Tables: AuditNode."""

from sqlalchemy.orm import Mapped, mapped_column

from services.database.base import Base


class AuditNode(Base):
    """The root of the complete subtree over the events ``position << level`` and on; leaves are in the events."""

    __tablename__ = "audit_nodes"
    __table_args__ = ({"sqlite_with_rowid": False},)

    level: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    position: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    sha256: Mapped[bytes]
