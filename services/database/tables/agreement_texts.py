"""Tables: AgreementText."""

from datetime import datetime

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from services.database.base import Base


class AgreementText(Base):
    """One version, as it was issued."""

    __tablename__ = "agreement_texts"

    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    version: Mapped[str] = mapped_column(unique=True)
    text_zh: Mapped[str]
    text_en: Mapped[str]
    issued_at: Mapped[datetime]
    issued_by: Mapped[str] = mapped_column(ForeignKey("people.id"))
    reason: Mapped[str]
