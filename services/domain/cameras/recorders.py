"""Add, change, retire and list recorders; secrets are written, never read back."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import Select, func, select

from services.database.base import new_id
from services.database.listing import EVERYTHING, Listing
from services.database.tables.applications import Application, Item
from services.database.tables.cameras import UPLOADED, Camera, Recorder
from services.database.unit_of_work import UnitOfWork
from services.domain.access import administrators
from services.domain.access import queries as access_queries
from services.domain.audit import trail as audit_trail
from services.domain.cameras import measurements
from services.domain.notifications import service as notification_service
from services.recorders import secrets as recorder_secrets
from services.recorders.protocol import RecorderFacts
from services.recorders.registry import KINDS
from services.recorders.secrets import is_encrypted, is_former
from services.runtime.errors import Fatal, NotFound, Refused
from services.runtime.logs import get_logger
from services.runtime.translations import Message, Text, Worded

log = get_logger(__name__)

HIDDEN = "***"
CLOCK_FIELDS = ("clock_offset_ms", "clock_method", "clock_uncertainty_ms")
Sort = Literal["name", "site", "kind", "cameras", "clock", "seen"]


@dataclass(frozen=True)
class RecorderEntry:
    """A recorder's fields, its configuration checked by the schema of its kind.

    ``secrets`` are the names of secret fields, ``kept_secrets`` those that stay as they are, ``address_fields`` the
    fields that hold the recorder's address.
    """

    name: str
    site: str
    kind: str
    zone: str
    configuration: Mapping[str, str]
    secrets: frozenset[str] = frozenset()
    kept_secrets: frozenset[str] = frozenset()
    address_fields: frozenset[str] = frozenset()


@dataclass(frozen=True)
class RecorderLine:
    """A row of a list; ``cameras`` counts those in use."""

    row: Recorder
    cameras: int


@dataclass(frozen=True)
class Finding(Worded):
    """One result of a test: a stable code and a sentence."""

    code: str
    message: Text
    ok: bool = False


@dataclass(frozen=True)
class RecorderHealth:
    """What is known of a recorder without asking it."""

    recorder_id: str
    name: str
    site: str
    zone: str
    last_seen_at: datetime | None
    polled_at: datetime | None
    clock_offset_ms: int | None
    clock_method: str | None
    clock_uncertainty_ms: int | None
    oldest_frame_at: datetime | None
    error: Mapping[str, Any] | None = field(default=None)


def list_recorders(uow: UnitOfWork, listing: Listing = EVERYTHING, *, retired: bool = False) -> list[RecorderLine]:
    """List recorders in use, or retired ones, by name.

    The text is searched in name and site. For readers of the set-up.
    """
    administrators.require_reader(uow)
    count = (
        select(func.count())
        .where(Camera.recorder_id == Recorder.id, Camera.active)
        .correlate(Recorder)
        .scalar_subquery()
    )
    query = select(Recorder, count).where(
        Recorder.active != retired,
        Recorder.kind != UPLOADED,
        listing.mentioned(Recorder.name, Recorder.site),
    )
    columns = {
        **{"name": Recorder.name, "site": Recorder.site, "kind": Recorder.kind, "cameras": count},
        **{"clock": func.abs(Recorder.clock_offset_ms), "seen": Recorder.last_seen_at},
    }
    page = listing.part(query, columns, Recorder.name, Recorder.id)
    return [RecorderLine(row, cameras) for row, cameras in uow.session.execute(page)]


def count_recorders(uow: UnitOfWork) -> tuple[int, int]:
    """Count the recorders in use, and those of them whose last probe failed. For readers of the set-up."""
    administrators.require_reader(uow)
    query = select(func.count(), func.count(Recorder.last_error)).where(Recorder.active, Recorder.kind != UPLOADED)
    number, failed = uow.session.execute(query).one()
    return int(number), int(failed)


def get_recorder(uow: UnitOfWork, recorder_id: str) -> RecorderLine:
    """Return one recorder. Raises NotFound."""
    administrators.require_reader(uow)
    row = _get_for_update(uow, recorder_id)
    query = select(func.count()).where(Camera.recorder_id == recorder_id, Camera.active)
    return RecorderLine(row, uow.session.scalar(query) or 0)


def get_for_change(uow: UnitOfWork, recorder_id: str) -> RecorderLine:
    """Return a recorder for an administrator to change."""
    administrators.require_administrator(uow)
    return get_recorder(uow, recorder_id)


def get_for_test(uow: UnitOfWork, recorder_id: str) -> tuple[Recorder, list[Camera]]:
    """Return a recorder for an administrator's test, with its active cameras."""
    administrators.require_administrator(uow)
    row = _get_for_update(uow, recorder_id)
    query = select(Camera).where(Camera.recorder_id == recorder_id, Camera.active).order_by(Camera.channel)
    return row, list(uow.session.scalars(query))


def add(uow: UnitOfWork, entry: RecorderEntry) -> Recorder:
    """Add a recorder. Refused for a name in use."""
    administrators.require_administrator(uow)
    administrators.lock_setup(uow)  # of two with one name the second sees the first
    _require_free_name(uow, entry.name, None)
    row = Recorder(
        id=new_id(),
        name=entry.name,
        site=entry.site,
        kind=entry.kind,
        zone=entry.zone,
        configuration=_encrypted(uow, entry),
    )
    uow.session.add(row)
    uow.session.flush()
    audit_trail.record(uow, "recorder-added", "recorder", row.id, new=audit_view(row, entry.secrets))
    return row


def change_recorder(uow: UnitOfWork, recorder_id: str, entry: RecorderEntry) -> Recorder:
    """Change a recorder from now on; its kind is fixed.

    Where it is and its zone say which footage a running case gets, so those whose cases wait for it are notified.
    Refused when the address changes and stored secrets would be sent to the new one.
    """
    administrators.require_administrator(uow)
    administrators.lock_setup(uow)
    row = _get_for_update(uow, recorder_id)
    if entry.kind != row.kind:
        raise Refused(
            "kind-fixed",
            "The type of a recorder cannot be changed: retire this one and add another.",
            field="kind",
        )
    _require_free_name(uow, entry.name, recorder_id)
    old, old_configuration = audit_view(row, entry.secrets), row.configuration
    address_changed = any(
        str(old_configuration.get(name, "")) != entry.configuration.get(name, "") for name in entry.address_fields
    )
    kept = {name: old_configuration[name] for name in entry.kept_secrets if name in old_configuration}
    if address_changed and kept:
        # Otherwise an administrator could have the stored secret sent to an address of their choice.
        raise Refused(
            "secret-again",
            "The address has changed: enter the password and other secrets again.",
            status=422,
            field=f"configuration.{min(kept)}",
        )
    row.name, row.site, row.zone = entry.name, entry.site, entry.zone
    row.configuration = {**kept, **_encrypted(uow, entry)}
    if any(old_configuration.get(name) != row.configuration.get(name) for name in CLOCK_FIELDS):
        # The entered clock is newer than the one that was compared on a picture.
        row.clock_offset_ms = row.clock_method = row.clock_uncertainty_ms = row.clock_measured_at = None
    new = audit_view(row, entry.secrets)
    audit_trail.record(
        uow,
        "recorder-changed",
        "recorder",
        recorder_id,
        old=old,
        new=new,
        secrets_changed=sorted(entry.secrets & set(entry.configuration)),
    )
    if changed_fields(old, new):
        _notify_waiting(uow, recorder_id)
    return row


def changed_fields(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """Return which values differ, of two audit views, that say where footage comes from: zone and configuration."""
    before, after = ({"zone": view.get("zone"), **view.get("configuration", {})} for view in (old, new))
    return sorted(name for name in {*before, *after} if before.get(name) != after.get(name))


def set_active(uow: UnitOfWork, recorder_id: str, active: bool) -> Recorder:
    """Retire or reactivate a recorder.

    Items of a retired one cannot be applied for; cases keep their references. Refused while open cases wait for it, and
    where another has its name meanwhile.
    """
    administrators.require_administrator(uow)
    administrators.lock_setup(uow)
    row = _get_for_update(uow, recorder_id)
    if row.active == active:
        return row
    if active:
        _require_free_name(uow, row.name, recorder_id)
    else:
        require_no_open_cases(uow, Camera.recorder_id == recorder_id)
    row.active = active
    audit_trail.record(
        uow,
        "recorder-reactivated" if active else "recorder-retired",
        "recorder",
        recorder_id,
        old=not active,
        new=active,
    )
    return row


def record_test(uow: UnitOfWork, recorder_id: str, facts: RecorderFacts | None, findings: list[Finding]) -> None:
    """Record what a test measured and what it found."""
    administrators.require_administrator(uow)
    row = _get_for_update(uow, recorder_id)
    if facts is not None:
        measurements.record_measured(uow, recorder_id, facts)
    record_error(uow, row, next((finding for finding in findings if not finding.ok), None))
    audit_trail.record(uow, "recorder-tested", "recorder", recorder_id, findings=[finding.code for finding in findings])


def record_error(uow: UnitOfWork, row: Recorder, error: Finding | None) -> None:
    """Store the last error of a recorder; None clears it."""
    row.polled_at = uow.now
    row.last_error = None if error is None else {"code": error.code, "zh": error.zh, "en": error.en}


def list_health(uow: UnitOfWork) -> list[RecorderHealth]:
    """List the health of recorders in use, by name.

    The caller checks who may see it.
    """
    oldest = dict(
        uow.session.execute(
            select(Camera.recorder_id, func.min(Camera.oldest_frame_at))
            .where(Camera.active)
            .group_by(Camera.recorder_id)
        ).all()
    )
    return [
        RecorderHealth(
            *(row.id, row.name, row.site, row.zone, row.last_seen_at, row.polled_at),
            *(row.clock_offset_ms, row.clock_method, row.clock_uncertainty_ms),
            oldest.get(row.id),
            row.last_error,
        )
        for row in uow.session.scalars(select(Recorder).where(Recorder.active).order_by(Recorder.name))
    ]


def audit_view(row: Recorder, secrets: frozenset[str]) -> dict[str, Any]:
    """Return a recorder for the audit trail, without its secrets."""
    configuration = {name: HIDDEN if name in secrets else value for name, value in sorted(row.configuration.items())}
    return {"name": row.name, "site": row.site, "kind": row.kind, "zone": row.zone, "configuration": configuration}


def encrypt_secrets(uow: UnitOfWork) -> int:
    """Encrypt the secrets that are stored in clear, or with the portal's key; return how many recorders had clear ones.

    The releases before this one stored them so. A second run finds none. What the portal's key does not open stays as
    it is, and has to be entered anew.
    """
    count = 0
    for row in uow.session.scalars(select(Recorder).where(Recorder.kind.in_(KINDS)).with_for_update()):
        schema = KINDS[row.kind].schema
        old = {name for name in schema.secrets & set(row.configuration) if not is_encrypted(row.configuration[name])}
        if not old:
            continue
        try:
            clear = recorder_secrets.decrypt_former(row.kind, row.configuration, uow.secrets, places=schema.places)
        except Fatal as error:
            cause = str(error)
            log.warning("a recorder's secrets cannot be decrypted: enter them anew", recorder=row.name, cause=cause)
            continue
        count += any(not is_former(row.configuration[name]) for name in old)
        row.configuration = recorder_secrets.encrypt(
            row.kind, clear, uow.recorder_secrets, secrets=old, places=schema.places
        )
        audit_trail.record(uow, "recorder-secrets-encrypted", "recorder", row.id)
    return count


def _encrypted(uow: UnitOfWork, entry: RecorderEntry) -> dict[str, str]:
    return recorder_secrets.encrypt(
        entry.kind, entry.configuration, uow.recorder_secrets, secrets=entry.secrets, places=entry.address_fields
    )


def _get_for_update(uow: UnitOfWork, recorder_id: str) -> Recorder:
    row = uow.session.get(Recorder, recorder_id, with_for_update=not uow.reading)
    if row is None or row.kind == UPLOADED:
        raise NotFound(Message("recorder"), recorder_id)
    return row


def _require_free_name(uow: UnitOfWork, name: str, own_id: str | None) -> None:
    taken = uow.session.scalar(
        select(Recorder.id).where(Recorder.name == name, Recorder.active, Recorder.id != (own_id or ""))
    )
    if taken is not None:
        raise Refused(
            "name-taken",
            "A recorder with the name {name} already exists: choose another name.",
            field="name",
            name=name,
        )


def require_no_open_cases(uow: UnitOfWork, *conditions: Any) -> None:
    """Refuse while open cases still have to retrieve footage.

    ``conditions`` select the cameras.
    """
    waiting = uow.session.scalar(_select_waiting([func.count(Application.id.distinct())], *conditions))
    if waiting:
        raise Refused(
            "case-waits",
            "{waiting} open case(s) still have to retrieve footage from this recorder: wait until they are done.",
            waiting=waiting,
        )


def _notify_waiting(uow: UnitOfWork, recorder_id: str) -> None:
    """Notify the drafters of the cases that wait for the recorder, and Security's heads once for all of them.

    Not those whom each of the cases concerns (T8); where that is all of them, the deputies.
    """
    columns = [Application.number, Application.id, Application.drafter_id, Application.subject_ids]
    query = _select_waiting(columns, Camera.recorder_id == recorder_id).order_by(Application.number)
    cases = {case.id: case for case in uow.session.execute(query)}
    for case in cases.values():
        notification_service.notify(uow, case.drafter_id, "recorder-changed", application_id=case.id)
    if cases:
        concerned = frozenset.intersection(*(frozenset(case.subject_ids) for case in cases.values()))
        security = access_queries.load_directory(uow).holders_in
        groups = ([one for one in security("security", post) if one not in concerned] for post in ("head", "deputy"))
        for person_id in next(filter(None, groups), []):
            notification_service.notify(
                uow,
                person_id,
                "recorder-changed-security",
                application_id=None,
                subject_id=recorder_id,
                excluded=concerned,
            )


def _select_waiting(columns: Sequence[Any], *conditions: Any) -> Select[Any]:
    """Select from the open cases that still have to retrieve footage of these cameras."""
    return (
        select(*columns)
        .join(Item, Item.application_id == Application.id)
        .join(Camera, Camera.id == Item.camera_id)
        .where(
            *conditions,
            Application.submitted_at.is_not(None),
            Application.closed_at.is_(None),
            Item.dropped_in_round.is_(None),
            Item.outcome.is_(None),
        )
    )
