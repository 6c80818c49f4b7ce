"""Confidentiality agreements: no task, key or view without a valid one (R59)."""

from datetime import datetime, timedelta

from sqlalchemy import ForeignKey, select
from sqlalchemy.orm import Mapped, mapped_column

from services.register import audit, own_signatures
from services.register.base import Base, new_id
from services.register.unit import Unit
from services.runtime.errors import Refused

TERM = timedelta(days=365)


class Agreement(Base):
    __tablename__ = "agreements"

    id: Mapped[str] = mapped_column(primary_key=True, default=new_id)
    person_id: Mapped[str] = mapped_column(ForeignKey("people.id"), index=True)
    version: Mapped[str]
    signed_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]


def mine(unit: Unit) -> list[Agreement]:
    """The acting person's agreements, the newest first."""
    query = select(Agreement).where(Agreement.person_id == unit.actor.id).order_by(Agreement.signed_at.desc())
    return list(unit.session.scalars(query))


def sign(unit: Unit, version: str, password: str, code: str | None = None) -> Agreement:
    """The acting person signs the agreement of the present version for a year; Refused for an older version."""
    if version != unit.rules.agreement_version:
        raise Refused(
            "agreement-outdated",
            f"保密协议已更新为 {unit.rules.agreement_version} 版，请阅读后签订新版。",
            f"The agreement is now version {unit.rules.agreement_version}: read and sign that one.",
            field="version",
        )
    agreement = Agreement(
        id=new_id(), person_id=unit.actor.id, version=version, signed_at=unit.now, expires_at=unit.now + TERM
    )
    statement = {
        "kind": "confidentiality-agreement",
        "agreement": agreement.id,
        "person": unit.actor.id,
        "version": version,
        "signedAt": unit.now.isoformat(),
        "expiresAt": agreement.expires_at.isoformat(),
    }
    signed = own_signatures.sign(unit, statement, password, code)
    unit.session.add(agreement)
    audit.record(
        unit,
        "agreement-signed",
        "agreement",
        agreement.id,
        statement=statement,
        signature=signed.signature,
    )
    return agreement
