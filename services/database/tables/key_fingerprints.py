"""Key fingerprints: which keys this installation has, by their public parts."""

from datetime import datetime

from sqlalchemy.orm import Mapped, mapped_column

from services.database.base import Base


class KeyFingerprint(Base):
    """A key that was made for this installation: one that is missing, or another, is not replaced in silence.

    ``name`` is vault, escrow, seal, root, log or portal; ``fingerprint`` reveals nothing of the key.
    """

    __tablename__ = "key_fingerprints"

    name: Mapped[str] = mapped_column(primary_key=True)
    fingerprint: Mapped[str]
    since: Mapped[datetime]
