"""Whether a person's confidentiality agreement is valid: no key, view or hand-over without one (R46, R59)."""

from sqlalchemy import select

from services.register.agreements import Agreement
from services.register.unit import Unit
from services.runtime.errors import Refused


def valid_agreement(unit: Unit, person_id: str) -> Agreement | None:
    """The person's agreement of the present version that has begun and has neither expired nor been ended."""
    return unit.session.scalar(
        select(Agreement)
        .where(
            Agreement.person_id == person_id,
            Agreement.version == unit.rules.agreement_version,
            Agreement.signed_at <= unit.now,
            Agreement.expires_at > unit.now,
            Agreement.ended_at.is_(None),
        )
        .order_by(Agreement.expires_at.desc())
        .limit(1)
    )


def require_agreement(unit: Unit, person_id: str) -> Agreement:
    """As ``valid_agreement``; Refused when there is none."""
    agreement = valid_agreement(unit, person_id)
    if agreement is None:
        raise Refused(
            "agreement-missing",
            "您没有有效的保密协议，请先签订保密协议。",
            "You have no valid confidentiality agreement: sign one first.",
            status=403,
        )
    return agreement
