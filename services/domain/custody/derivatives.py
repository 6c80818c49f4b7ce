"""Redacted copies: queued, made by one run at a time, approved, and discarded when their time is over (R6, R58, T5).

A redacted copy is derived of an issued copy, under a key of its own; copy and master stay as they are. The rows decide:
a run whose process died is given up by the next one, which begins from the start and sweeps what the first has left.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, or_, select
from sqlalchemy.orm import joinedload

from services.database.base import new_id
from services.database.tables.applications import Application, Item
from services.database.tables.copies import Copy
from services.database.tables.custody import HandOver
from services.database.tables.derivatives import Derivative, DerivativeAttempt
from services.database.tables.disclosures import Disclosure
from services.database.tables.masters import Master
from services.database.tables.matters import Matter
from services.database.unit_of_work import UnitOfWork
from services.domain.audit import checkpoints
from services.domain.audit import trail as audit_trail
from services.domain.cameras import measurements
from services.domain.custody.retention_periods import kept_for
from services.domain.documents import service as document_service
from services.domain.holds import queries as holds
from services.domain.retrieval import making_attempts
from services.domain.retrieval.making_attempts import BUCKET

SUBJECT = "derivative"  # in the audit trail
QUEUED = "redaction-queued"  # wakes the process that makes them
GONE = "its matter or its loan has ended"


@dataclass(frozen=True)
class Order:
    """One run: the copy as it was sealed, the recipe, and where the redacted copy goes."""

    derivative_id: str
    attempt_id: str
    application_id: str
    copy_id: str
    channel: str
    copy: dict[str, Any]
    recipe: dict[str, Any]
    bucket: str
    key: str


@dataclass(frozen=True)
class LabelFacts:
    """A redacted copy as it was sealed, and what its label says of it."""

    sealed: dict[str, Any]
    facts: dict[str, Any]
    checkpoint: dict[str, Any] | None


def create(uow: UnitOfWork, matter: Matter, copy: Copy, recipe: dict[str, Any], recipe_sha256: str) -> Derivative:
    """Queue a redacted copy; the process that makes them is woken when this commits."""
    row = Derivative(
        id=new_id(),
        matter_id=matter.id,
        application_id=matter.application_id,
        item_id=copy.item_id,
        copy_id=copy.id,
        master_id=copy.master_id,
        recipe=recipe,
        recipe_sha256=recipe_sha256,
        queued_at=uow.now,
    )
    uow.session.add(row)
    audit_trail.record(
        uow,
        "redaction-queued",
        SUBJECT,
        row.id,
        application_id=row.application_id,
        matter=matter.id,
        copy=copy.id,
        recipe=recipe_sha256,
    )
    uow.after_commit.add(QUEUED)
    return row


def of_matter(uow: UnitOfWork, matter_id: str) -> Derivative | None:
    return uow.session.scalar(select(Derivative).where(Derivative.matter_id == matter_id))


def begin(uow: UnitOfWork) -> Order | None:
    """Begin a run for the redacted copy that waits longest, since it was last tried; None where none waits.

    So one whose part is away, which is tried again for ever, holds up no other. The caller alone makes redacted copies
    now: a run that is open is of a process that has ended. One whose matter or loan has ended is made no more.
    """
    tried = select(func.max(DerivativeAttempt.started_at)).where(DerivativeAttempt.derivative_id == Derivative.id)
    query = (
        select(Derivative.id)
        .where(Derivative.made_at.is_(None), Derivative.failed_at.is_(None), Derivative.ended_at.is_(None))
        .order_by(func.coalesce(tried.scalar_subquery(), Derivative.queued_at), Derivative.queued_at, Derivative.id)
        .limit(1)
    )
    while (derivative_id := uow.session.scalar(query)) is not None:
        row = _lock(uow, derivative_id)
        making_attempts.give_up_open(
            uow, DerivativeAttempt, DerivativeAttempt.derivative_id == row.id, "its process has ended"
        )
        copy = uow.session.get_one(Copy, row.copy_id)
        if not _is_wanted(uow, row, copy):
            row.ended_at = uow.now
            uow.session.flush()
            continue
        return _start(uow, row, copy)
    return None


def record_progress(uow: UnitOfWork, attempt_id: str, pictures: int, reached_ms: int) -> bool:
    """Say how far a run has come; False where it is wanted no more, so that it ends."""
    attempt = uow.session.get_one(DerivativeAttempt, attempt_id)
    attempt.pictures, attempt.reached_ms = pictures, reached_ms
    row = uow.session.get_one(Derivative, attempt.derivative_id)
    return attempt.abandoned_at is None and _is_wanted(uow, row, uow.session.get_one(Copy, row.copy_id))


def finish(uow: UnitOfWork, attempt_id: str, sealed: dict[str, Any], facts: dict[str, Any]) -> bool:
    """Record the redacted copy; False where it is not wanted any more: its object and its key are then to go."""
    attempt = uow.session.get_one(DerivativeAttempt, attempt_id)
    row = _lock(uow, attempt.derivative_id)
    if row.made_at is not None and row.attempt_id == attempt_id:
        return True
    if attempt.abandoned_at is not None or row.made_at is not None:
        give_up(uow, attempt_id, "another run has taken over")
        return False
    if not _is_wanted(uow, row, uow.session.get_one(Copy, row.copy_id)):
        give_up(uow, attempt_id, GONE)
        row.ended_at = uow.now
        return False
    attempt.finished_at = row.made_at = uow.now
    row.attempt_id, row.sealed, row.facts = attempt_id, sealed, facts
    row.last_verified_at = uow.now
    row.retain_until = uow.now + kept_for(uow.rules, "derived")
    audit_trail.record(
        uow,
        "redaction-made",
        SUBJECT,
        row.id,
        application_id=row.application_id,
        copy=row.copy_id,
        master=row.master_id,
        recipe=row.recipe_sha256,
        key=attempt.key,
        sha256_plain=sealed["sha256Plain"],
        sha256_cipher=sealed["sha256Cipher"],
    )
    return True


def fail(uow: UnitOfWork, attempt_id: str, because: str) -> None:
    """Record that it cannot be made, whoever tries again."""
    attempt = uow.session.get_one(DerivativeAttempt, attempt_id)
    row = _lock(uow, attempt.derivative_id)
    give_up(uow, attempt_id, because)
    if row.made_at is None and row.failed_at is None:
        row.failed_at, row.failed_because = uow.now, because
        audit_trail.record(
            uow, "redaction-failed", SUBJECT, row.id, application_id=row.application_id, copy=row.copy_id
        )


def fail_after_runs(uow: UnitOfWork, attempt_id: str, because: str) -> None:
    """Record that it cannot be made, once so many runs have failed that trying again holds up the others."""
    derivative_id = uow.session.get_one(DerivativeAttempt, attempt_id).derivative_id
    if making_attempts.have_failed(uow, DerivativeAttempt, DerivativeAttempt.derivative_id == derivative_id):
        fail(uow, attempt_id, because)


def give_up(uow: UnitOfWork, attempt_id: str, because: str) -> None:
    """Give an open run up; its key is to be swept."""
    making_attempts.give_up(uow, uow.session.get_one(DerivativeAttempt, attempt_id), because)


def get_label_facts(uow: UnitOfWork, derivative_id: str) -> LabelFacts:
    """Return what the label of a redacted copy says: that it is derived, of what, by which recipe."""
    row = uow.session.get_one(Derivative, derivative_id)
    matter = uow.session.get_one(Matter, row.matter_id)
    application = uow.session.get_one(Application, row.application_id)
    copy = uow.session.get_one(Copy, row.copy_id, options=[joinedload(Copy.master)])
    facts = {
        "derived": True,
        "statement": "derived, not the original",
        "matter": matter.number,
        "applicationNumber": application.number,
        "item": row.item_id,
        "originals": {kind: _original(uow, of) for kind, of in _originals(copy)},
        "recipe": row.recipe,
        "boxes": _who_drew(matter.facts["before"].get("proposal")),
        "recipeSha256": row.recipe_sha256,
        "made": row.facts,
        "madeAt": row.made_at.isoformat() if row.made_at else None,
        "organisation": uow.rules.organisation,
        "policyVersion": uow.rules.policy_version,
    }
    return LabelFacts(dict(row.sealed or {}), facts, checkpoints.newest_as_json(uow))


def record_label(uow: UnitOfWork, derivative_id: str, payload_sha256: str) -> None:
    """Record what the label beside the object signs."""
    row = _lock(uow, derivative_id)
    if row.label_sha256 is None:
        row.label_sha256 = payload_sha256
        audit_trail.record(
            uow,
            "redaction-labelled",
            SUBJECT,
            row.id,
            application_id=row.application_id,
            key=(row.sealed or {}).get("key"),
            payload_sha256=payload_sha256,
        )


def list_unlabelled(uow: UnitOfWork) -> list[str]:
    """List what is made and has no label yet: its process ended between the two."""
    query = select(Derivative.id).where(
        Derivative.made_at.is_not(None), Derivative.label_sha256.is_(None), Derivative.discarded_at.is_(None)
    )
    return list(uow.session.scalars(query.order_by(Derivative.made_at)))


def approve(uow: UnitOfWork, row: Derivative) -> None:
    """The second person has watched it and approved it."""
    row.approved_at = uow.now
    audit_trail.record(
        uow, "redaction-approved", SUBJECT, row.id, application_id=row.application_id, matter=row.matter_id
    )


def list_approved(uow: UnitOfWork, copy_ids: Collection[str]) -> dict[str, Derivative]:
    """Return the redacted copy of each of these copies that was approved last and is intact, by the copy's id."""
    query = (
        select(Derivative)
        .where(
            Derivative.copy_id.in_(copy_ids),
            Derivative.approved_at.is_not(None),
            Derivative.discarded_at.is_(None),
            Derivative.damaged_at.is_(None),
        )
        .order_by(Derivative.approved_at, Derivative.id)
    )
    return {row.copy_id: row for row in uow.session.scalars(query)}


def list_due(uow: UnitOfWork, limit: int, after: str = "") -> list[tuple[str, str, str, str]]:
    """List what is kept no longer: id, run, bucket and key. Not what a hold keeps, or a disclosure still hands out.

    By their ids, from ``after`` on.
    """
    query = (
        select(Derivative)
        .where(
            Derivative.made_at.is_not(None),
            Derivative.discarded_at.is_(None),
            Derivative.id > after,
            Derivative.retain_until <= uow.now,
            ~holds.holding(Derivative.application_id.expression),
            ~_is_handed_out(),
        )
        .order_by(Derivative.id)
        .limit(limit)
    )
    return [
        (row.id, str(row.attempt_id), row.sealed["bucket"], row.sealed["key"])
        for row in uow.session.scalars(query)
        if row.sealed is not None
    ]


def begin_discard(uow: UnitOfWork, derivative_id: str) -> bool:
    """Return whether it is still due, locked with its case; from now on nobody opens it."""
    row = uow.session.get_one(Derivative, derivative_id)
    uow.session.get(Application, row.application_id, with_for_update=True, populate_existing=True)
    row = _lock(uow, derivative_id)
    if row.discarded_at is not None or row.retain_until is None or row.retain_until > uow.now:
        return False
    if holds.is_held(uow, row.application_id):
        return False
    row.key_destroyed_at = row.key_destroyed_at or uow.now
    return True


def mark_discarded(uow: UnitOfWork, derivative_id: str) -> None:
    """Record that the vault has nothing of it any more."""
    row = _lock(uow, derivative_id)
    if row.discarded_at is None:
        row.discarded_at = uow.now
        audit_trail.record(
            uow,
            "redaction-discarded",
            SUBJECT,
            row.id,
            application_id=row.application_id,
            key=(row.sealed or {}).get("key"),
            retained_until=row.retain_until.isoformat() if row.retain_until else None,
        )


def newest_attempt(uow: UnitOfWork, derivative_id: str) -> DerivativeAttempt | None:
    """Return the run that was begun last."""
    query = select(DerivativeAttempt).where(DerivativeAttempt.derivative_id == derivative_id)
    return uow.session.scalar(query.order_by(DerivativeAttempt.started_at.desc(), DerivativeAttempt.id).limit(1))


def length_ms(sealed: dict[str, Any]) -> int:
    """Return how long the footage is, from its first picture to the end of its last."""
    coverage = sealed["coverage"]
    first = datetime.fromisoformat(coverage["firstFrame"])
    ends = [coverage["lastFrame"], *(span[1] for span in coverage["covered"])]
    return max((datetime.fromisoformat(end) - first) // timedelta(milliseconds=1) for end in ends)


def _start(uow: UnitOfWork, row: Derivative, copy: Copy) -> Order:
    attempt_id = new_id()
    key = f"{BUCKET}/{row.id}/{attempt_id}"
    uow.session.add(
        DerivativeAttempt(
            id=attempt_id, derivative_id=row.id, bucket=BUCKET, key=key, started_at=uow.now, pictures=0, reached_ms=0
        )
    )
    item = uow.session.get_one(Item, row.item_id)
    return Order(
        row.id,
        attempt_id,
        row.application_id,
        copy.id,
        measurements.source_of(uow, item).channel,
        dict(copy.sealed),
        dict(row.recipe),
        BUCKET,
        key,
    )


def _lock(uow: UnitOfWork, derivative_id: str) -> Derivative:
    return uow.session.get_one(Derivative, derivative_id, with_for_update=True, populate_existing=True)


def _is_wanted(uow: UnitOfWork, row: Derivative, copy: Copy) -> bool:
    """Whether somebody may still decide about it, and its copy opens."""
    closed = uow.session.scalar(select(Matter.closed_at).where(Matter.id == row.matter_id))
    return closed is None and copy.key_destroyed_at is None and copy.discarded_at is None


def _original(uow: UnitOfWork, of: Copy | Master) -> dict[str, Any]:
    label = document_service.of_subject(uow, "label", of.id)
    return {
        "id": of.id,
        "key": of.sealed["key"],
        "sha256Footage": of.sealed["sha256Plain"],
        "sha256Object": of.sealed["sha256Cipher"],
        "label": label.number if label is not None else None,
        "labelSha256": label.sha256 if label is not None else None,
    }


def _who_drew(proposal: dict[str, Any] | None) -> dict[str, Any]:
    """Say on the label who set the boxes: a person, or a detector and a person who corrected what it proposed."""
    if proposal is None:
        return {"statement": "boxes drawn by a person"}
    by = proposal["by"]
    return {"statement": f"boxes proposed by {by['name']} ({by['model']}), corrected by a person", "proposal": proposal}


def _originals(copy: Copy) -> Sequence[tuple[str, Copy | Master]]:
    return (("copy", copy), ("master", copy.master))


def _is_handed_out() -> Any:
    """Whether people outside were allowed its loan's files and have not signed for them, while the loan runs."""
    return (
        select(Disclosure.id)
        .join(HandOver, HandOver.id == Disclosure.hand_over_id)
        .where(
            Disclosure.application_id == Derivative.application_id,
            Disclosure.received_at.is_(None),
            Derivative.approved_at.is_not(None),
            ~or_(HandOver.returned_at.is_not(None), HandOver.lost_at.is_not(None), HandOver.ended_at.is_not(None)),
        )
        .exists()
    )
