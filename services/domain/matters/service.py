"""Ask for a matter: who may, what is asked, and the message to its process, in one transaction."""

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError
from sqlalchemy import select

from services.database.base import new_id
from services.database.tables.matters import Matter
from services.database.unit_of_work import UnitOfWork
from services.domain.accounts.signatures import signing
from services.domain.accounts.signatures.given import Proof
from services.domain.audit import trail as audit_trail
from services.domain.change_requests import holds
from services.domain.documents import service as document_service
from services.domain.matters import queries, withdrawals
from services.domain.matters.kinds import KINDS
from services.domain.matters.kinds.base import Asked, Kind
from services.domain.matters.permissions import decisions_of, lock
from services.domain.process import outbox, permissions
from services.domain.process.permissions import CaseState
from services.domain.reviews import moot_matters
from services.domain.stages.catalogue import STAGES
from services.runtime.canonical_json import hash_of
from services.runtime.errors import NotFound, Refused
from services.runtime.translations import Message


def open_matter(
    uow: UnitOfWork, kind_code: str, application_id: str, asked: Mapping[str, Any], proof: Proof | None = None
) -> Matter:
    """Ask for a matter of this kind about a case that the actor may see; signed with ``proof`` where the kind asks it.

    Raises Refused where the actor may not, where it cannot be done now, where the same is asked already, and without
    the signature.
    """
    kind = find_kind(kind_code)
    if kind.signed:
        raise Refused("signature-missing", "This is asked with a signature: use its own form.", status=422)
    read = parse(kind, asked)
    kind.require_seen(uow, application_id, read)
    state = permissions.lock(uow, application_id, f"ask for {kind.code}")
    kind.require_may_open(uow, state, read)
    opened = kind.open_itself(uow, state, read)
    if opened is not None:
        return opened
    statement = kind.statement(uow, state, read)
    if statement is None:
        return _open(uow, kind, state, read)
    if proof is None:
        message = Message("Enter your password, or sign with a passkey.")
        raise Refused("signature-missing", message, status=422, field="password")
    return _open(uow, kind, state, read, signed=signing.sign(uow, statement, proof))


def open_by_system(
    uow: UnitOfWork,
    kind_code: str,
    application_id: str,
    asked: Mapping[str, Any],
    *,
    in_name_of: str | None = None,
) -> Matter | None:
    """Open a matter that the system itself has found the reason for, in nobody's name, or of who has asked before.

    None where it cannot be done now, where the same is asked already, and where its stages are not set up.
    """
    kind = find_kind(kind_code)
    read = parse(kind, asked)
    state = permissions.lock(uow, application_id, f"open {kind.code}")
    lacks = bool(_list_lacking(uow, kind, state))
    if lacks or kind.obstacle(uow, state, read) is not None or _number_of_open(uow, kind, state, read) is not None:
        return None
    return _open(uow, kind, state, read, opened_by=in_name_of, by_system=True)


def open_signed(uow: UnitOfWork, kind: Kind, state: CaseState, read: Asked) -> Matter:
    """Open a matter whose asking the caller has checked, and its asker has signed."""
    return _open(uow, kind, state, read)


def _open(
    uow: UnitOfWork,
    kind: Kind,
    state: CaseState,
    read: Asked,
    *,
    opened_by: str | None = None,
    by_system: bool = False,
    signed: signing.Signed | None = None,
) -> Matter:
    _require_stages(uow, kind, state)
    _require_first(uow, kind, state, read)
    matter = _new(uow, kind, state, read, opened_by=opened_by if by_system else uow.actor.id)
    matter.signature = signed.signature if signed is not None else None
    uow.session.add(matter)
    uow.session.flush()
    kind.begin(uow, matter, state)
    audit_trail.record(
        uow,
        "matter-opened",
        "matter",
        matter.id,
        application_id=state.application.id,
        number=matter.number,
        kind=kind.code,
        facts=matter.facts_sha256,
        **({"opened_by": "system"} if by_system else {}),
        **(signed.event_fields if signed is not None else {}),
    )
    outbox.publish(
        uow,
        kind.message,
        matter.id,
        application_id=state.application.id,
        matter_id=matter.id,
        message_id=f"{kind.message}:{matter.id}",
        variables={"matterId": matter.id, "applicationId": state.application.id, **kind.carried(matter)},
    )
    return matter


def withdraw(uow: UnitOfWork, matter_id: str) -> Matter:
    """Withdraw a matter: its reviews end, its process is told, and the same can be asked again.

    NotFound for who may not see it; Refused for who has neither asked nor leads, for a kind that has changed something
    in the act of asking, and once it is decided.
    """
    matter = uow.session.get(Matter, matter_id)
    if matter is None or not queries.is_visible(uow, matter):
        raise NotFound(Message("matter"), matter_id)
    subject = lock(uow, matter_id, "withdraw the matter")
    refused = withdrawals.refusal(uow, subject, decisions_of(uow, subject.matter))
    if refused is not None:
        raise refused
    holds.check(uow, uow.actor.id)
    moot_matters.ask_back(uow, subject.matter)
    return subject.matter


def find_kind(code: str) -> Kind:
    """Return a kind; NotFound for one that there is not."""
    kind = KINDS.get(code)
    if kind is None:
        raise NotFound(Message("kind of matter"), code)
    return kind


def parse(kind: Kind, asked: Mapping[str, Any]) -> Asked:
    """Read what was filled in; Refused with the first field that is missing or wrong."""
    try:
        return kind.asked.model_validate(dict(asked))
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0]) if first["loc"] else ""
        message = Message("Fill in the marked field: it is missing or not valid.")
        raise Refused("missing", message, status=422, field=name) from None


def _new(uow: UnitOfWork, kind: Kind, state: CaseState, asked: Asked, *, opened_by: str | None) -> Matter:
    matter_id, number = new_id(), document_service.next_number(uow, kind.code)
    facts = {
        "matter": matter_id,
        "number": number,
        "kind": kind.code,
        "application": state.application.number,
        "handOver": state.hand_over.id if state.hand_over is not None else None,
        "asked": asked.model_dump(mode="json", by_alias=True),
        "before": kind.before_of(uow, state, asked),
        "openedBy": opened_by,
        "openedAt": uow.now.isoformat(),
    }
    return Matter(
        id=matter_id,
        number=number,
        kind=kind.code,
        application_id=state.application.id,
        hand_over_id=facts["handOver"],
        opened_by=opened_by,
        opened_at=uow.now,
        counterpart_id=kind.counterpart(asked),
        facts=facts,
        facts_sha256=hash_of(facts),
    )


def _require_stages(uow: UnitOfWork, kind: Kind, state: CaseState) -> None:
    """Raise Refused where the organisation's file of stages is older than this kind."""
    lacking = _list_lacking(uow, kind, state)
    if lacking and kind.waits_for_stages:
        raise Refused(
            "stage-lacking",
            "The review stage {stage} is not set up here: ask the administrator to add it to review-stages.json.",
            stage=lacking[0],
        )


def _list_lacking(uow: UnitOfWork, kind: Kind, state: CaseState) -> list[str]:
    """List the stages of the floor that are not there, or not asked about this kind."""
    floor = kind.floor(uow, state)
    return [code for code in floor if code not in STAGES or kind.code not in STAGES[code].about]


def _require_first(uow: UnitOfWork, kind: Kind, state: CaseState, asked: Asked) -> None:
    """Raise Refused where the same is asked of the case already."""
    number = _number_of_open(uow, kind, state, asked)
    if number is not None:
        raise Refused("asked-already", "{number} asks for the same: wait until it is decided.", number=number)


def _number_of_open(uow: UnitOfWork, kind: Kind, state: CaseState, asked: Asked) -> str | None:
    query = select(Matter).where(
        Matter.application_id == state.application.id, Matter.kind == kind.code, Matter.closed_at.is_(None)
    )
    return next((matter.number for matter in uow.session.scalars(query) if kind.is_same(uow, matter, asked)), None)
