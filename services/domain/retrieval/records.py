"""What a retrieval rests on, and its record 《视频录像调取记录》 (R29, R31 to R35)."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select

from services.database.tables.applications import Application, Item
from services.database.tables.audit import AuditEvent
from services.database.tables.cameras import Camera, Recorder
from services.database.tables.documents import Document
from services.database.tables.maintenance import Damage
from services.database.tables.masters import Master
from services.database.tables.people import Person
from services.database.tables.reviews import Confirmation, Decision
from services.database.unit_of_work import UnitOfWork
from services.domain.audit import trail as audit_trail
from services.domain.cameras import clocks, measurements, protections, recorders
from services.domain.cameras.clocks import Clock
from services.domain.documents import service as document_service
from services.domain.process import permissions
from services.domain.retrieval import archive, attempts, masters, preservations, upload_sources
from services.domain.retrieval.archive import KeptMaster, Wanted
from services.domain.stages.catalogue import STAGES
from services.runtime.spans import Span
from services.vault.coverage import LEAST_SHARE

ORDERED = "retrieval-ordered"  # the action in the audit trail
LONGEST_ACCEPTED = timedelta(seconds=1)  # between two pictures, of what may be accepted in advance


@dataclass(frozen=True)
class Order:
    """What may be retrieved, on whose approval and by whose hand."""

    application_id: str
    item_id: str
    number: str
    form_sha256: str
    asked: Span
    zone: str
    source: measurements.CameraChannel
    operator_id: str
    second_person_ids: tuple[str, ...]
    importance: str
    # what the quarantine holds of the item, as sealed, with the span that it was preserved for; an uploaded file too
    preserved: tuple[dict[str, Any], ...]
    reported: list[Span] | None = None  # what the recorder said it has at the submission
    least_share: float = LEAST_SHARE  # of the expected pictures that complete footage has
    earlier: KeptMaster | None = None  # the master of the issue before, where its footage was in order
    archived: tuple[KeptMaster, ...] = ()  # what the archive has of the span, the first retrieved first
    released: Span | None = None  # where the release was signed to be searched: no copy holds more


@dataclass(frozen=True)
class Report:
    """How a retrieval went: what the record says beside what the database has."""

    outcome: str  # complete, partial, missing, unreadable
    coverage: float
    started_at: datetime
    difficulties: Sequence[str]
    examined: Sequence[str]  # what the outcome rests on
    tools: Mapping[str, str]
    searched: Span | None = None  # the granted span by both readings of the recorder's clock; None: as granted
    clock: Clock | None = None  # as it was measured for this retrieval; None: what the database has
    reported: Sequence[Span] | None = None  # what the recorder said it has, just before; None: it did not answer
    taken: KeptMaster | None = None  # the master that it was taken from, whose record says where the footage is from
    beyond_release: bool = False  # whether it was searched further than the release was signed over


@dataclass(frozen=True)
class RetrievalResult:
    """The answer that an earlier run has written."""

    outcome: str
    coverage: float
    record_number: str
    loss_accepted: bool = False

    @property
    def is_asked_about(self) -> bool:
        """Whether somebody has to accept what lacks."""
        return self.outcome != "complete" and not self.loss_accepted


def granted_span(item: Item) -> Span:
    """Return what the approval grants of an item: as asked for, unless a reviewer narrowed it (R4)."""
    return Span(item.granted_start or item.asked_start, item.granted_end or item.asked_end)


def reported_spans(item: Item) -> list[Span] | None:
    """Return what the recorder said it has at the submission; None where it was not asked or did not answer."""
    if item.reported is None:
        return None
    return [_span(span) for span in item.reported["covered"]]


def searched_span(item: Item, record: Document) -> Span:
    """Return where the granted span was searched, by the item's record; else the granted span."""
    granted, content = granted_span(item), json.loads(record.content)
    if "searched" not in content or _span(content["asked"]) != granted:
        return granted
    return _span(content["searched"])


def released_span(item: Item, release: Decision) -> Span | None:
    """Return where the release was signed to be searched for what is granted now; None where it does not say."""
    for line in release.signature.get("statement", {}).get("granted", ()):
        if line["item"] == item.id and "searched" in line and _signed(line) == granted_span(item):
            return _signed(line["searched"])
    return None


def get_order(uow: UnitOfWork, application_id: str, item_id: str) -> Order:
    """Return the order, once a filed form and a release of this round allow it (R29, R33). Raises NotPermitted."""
    state, item = permissions.lock_released(uow, application_id, item_id, "retrieve")
    application, form, release = state.application, state.form, state.decisions["storage-release"]
    if form is None:
        raise ValueError("a case that is released has a filed form")
    if not _is_ordered(uow, item_id, release):
        audit_trail.record(
            uow,
            ORDERED,
            "item",
            item_id,
            application_id=application_id,
            form=form.number,
            form_sha256=form.sha256,
        )
    granted = granted_span(item)
    return Order(
        application_id=application_id,
        item_id=item_id,
        number=form.number,
        form_sha256=form.sha256,
        asked=granted,
        zone=item.zone,
        source=measurements.source_of(uow, item),
        operator_id=release.decided_by,
        second_person_ids=tuple(
            uow.session.scalars(
                select(Confirmation.person_id)
                .where(Confirmation.review_id == release.review_id)
                .order_by(Confirmation.confirmed_at)
            )
        ),
        importance=application.importance or "ordinary",
        preserved=(
            *(
                {**row.sealed, "preservedOf": [row.asked_start.isoformat(), row.asked_end.isoformat()]}
                for row in preservations.list_usable(uow, item)
            ),
            *upload_sources.sealed_of(uow, item),
        ),
        reported=reported_spans(item),
        least_share=uow.rules.least_share,
        earlier=_earlier(uow, item),
        archived=tuple(archive.list_of(uow, application, Wanted(item_id, item.camera_id, granted))[item_id]),
        released=released_span(item, release),
    )


def _earlier(uow: UnitOfWork, item: Item) -> KeptMaster | None:
    """Return the master that an item takes its footage from where only others of its issue were wrong (R44).

    None where it is damaged and could not be made anew: then recorder, quarantine and archive are asked as for another.
    """
    if not item.unchanged or item.replaces_id is None:
        return None
    master, record = masters.get_of_item(uow, item.replaces_id), get_record(uow, item.replaces_id)
    if master is None or master.discarded_at is not None or record is None or _is_lost(uow, master):
        return None
    return KeptMaster(master.id, dict(master.sealed), json.loads(record.content))


def _is_lost(uow: UnitOfWork, master: Master) -> bool:
    query = select(Damage.id).where(
        Damage.master_id == master.id,
        Damage.place == "primary",
        Damage.repaired_at.is_(None),
        Damage.unrepaired_because.is_not(None),
    )
    return uow.session.scalar(query.limit(1)) is not None


def _is_ordered(uow: UnitOfWork, item_id: str, release: Decision) -> bool:
    """Return whether an earlier try of this release has recorded it: one that waits for a recorder has hundreds."""
    query = select(AuditEvent.seq).where(
        AuditEvent.subject_id == item_id, AuditEvent.action == ORDERED, AuditEvent.at >= release.decided_at
    )
    return uow.session.scalar(query.limit(1)) is not None


def get_result(uow: UnitOfWork, application_id: str, item_id: str) -> RetrievalResult | None:
    """Return what an earlier run of the retrieval has written, or None."""
    item = uow.session.get(Item, item_id)
    record = get_record(uow, item_id)
    if item is None or item.application_id != application_id or item.outcome is None or record is None:
        return None
    return RetrievalResult(item.outcome, item.coverage or 0.0, record.number, bool(item.loss_accepted))


def get_record(uow: UnitOfWork, item_id: str) -> Document | None:
    return uow.session.scalar(select(Document).where(Document.item_id == item_id, Document.kind == "retrieval-record"))


def create(
    uow: UnitOfWork, order: Order, attempt_id: str, sealed: dict[str, Any], report: Report, *, origin: str
) -> str | None:
    """Write master, record and outcome together; the record's number, or None when they are no longer wanted."""
    master = masters.create(uow, attempt_id, sealed, origin=origin)
    if master is None:
        return None
    if origin == "recorder":
        measurements.learn_fingerprint(
            uow, order.source.camera_id, sealed["coverage"].get("fingerprint"), order.application_id
        )
    return _write(uow, order, report, sealed, origin)


def create_without_footage(uow: UnitOfWork, order: Order, report: Report) -> str:
    """Write that an item's footage is missing or unreadable, with a record of its own."""
    reason = attempts.reason_unwanted(uow, order.application_id, order.item_id)
    if reason is not None:
        raise attempts.NoLongerWanted(f"nothing was recorded | item {order.item_id} | {reason} | wait")
    return _write(uow, order, report, None, "recorder")


def _write(uow: UnitOfWork, order: Order, report: Report, sealed: dict[str, Any] | None, origin: str) -> str:
    known = get_record(uow, order.item_id)
    if known is not None:
        return known.number
    item = uow.session.get_one(Item, order.item_id)
    item.outcome, item.coverage = report.outcome, report.coverage
    item.loss_accepted = is_accepted(report, sealed)
    number = document_service.next_number(uow, "retrieval-record")
    content = _content(uow, order, report, sealed, origin=origin, number=number)
    document = document_service.write(
        uow,
        "retrieval-record",
        number,
        application_id=order.application_id,
        item_id=order.item_id,
        content=content,
    )
    audit_trail.record(
        uow,
        "retrieval-recorded",
        "document",
        document.id,
        application_id=order.application_id,
        number=number,
        sha256=document.sha256,
        outcome=report.outcome,
    )
    return number


def _content(
    uow: UnitOfWork, order: Order, report: Report, sealed: dict[str, Any] | None, *, origin: str, number: str
) -> dict[str, Any]:
    source = order.source
    clock = report.clock or clocks.get_clock(uow, source.recorder_id)
    return {
        "title": "视频录像调取记录",
        "number": number,
        "form": {"number": order.number, "sha256": order.form_sha256},
        "item": order.item_id,
        **_replaces(uow, order.item_id),
        "policyVersion": uow.rules.policy_version,
        "organisation": uow.rules.organisation,
        "operator": _person(uow, order.operator_id),
        "secondPersons": [_person(uow, person_id) for person_id in order.second_person_ids],
        **_provenance(uow, order, report, origin),
        "recorderChanges": _recorder_changes(uow, order, source.recorder_id),
        "asked": {**_span_to_json(order.asked), "zone": order.zone},
        "searched": _span_to_json(report.searched or order.asked),
        "reported": {
            "submitted": uow.session.get_one(Item, order.item_id).reported,
            "retrieved": None if report.reported is None else [_span_to_json(span) for span in report.reported],
        },
        "recorderProtection": [row.outcome for row in protections.list_of_item(uow, order.item_id)],
        "outcome": report.outcome,
        "coverage": report.coverage,
        "lossAccepted": is_accepted(report, sealed),
        "obtained": sealed["coverage"] if sealed else None,
        "trueTime": _true_time(clock, sealed),
        "files": _files(sealed),
        "examined": list(report.examined),
        "cameraSignature": sealed.get("cameraSignature", "not examined") if sealed else "not examined",
        "tools": dict(report.tools),
        "startedAt": report.started_at.isoformat(),
        "finishedAt": uow.now.isoformat(),
        "difficulties": list(report.difficulties),
    }


def _provenance(uow: UnitOfWork, order: Order, report: Report, origin: str) -> dict[str, Any]:
    """Return where the footage is from, and the recorder's clock: as they were when it was retrieved."""
    if report.taken is not None:
        of = report.taken.record
        return {"source": {**of["source"], "origin": origin}, "recorderClock": of["recorderClock"]}
    source = order.source
    recorder = uow.session.get_one(Recorder, source.recorder_id)
    camera = uow.session.get_one(Camera, source.camera_id)
    upload = upload_sources.get_of_camera(uow, source.camera_id)
    clock = report.clock or clocks.clock_of(recorder)
    return {
        "source": {
            "site": source.site,
            "recorder": {
                "name": recorder.name,
                "kind": recorder.kind,
                "make": recorder.make,
                "model": recorder.model,
                "identity": recorder.identity,
            },
            "camera": {"id": camera.id, "nameZh": camera.name_zh, "nameEn": camera.name_en, "channel": camera.channel},
            "origin": origin,
            "upload": None if upload is None else upload_sources.to_json(upload),
        },
        "recorderClock": {"zone": recorder.zone, **clock.as_json()},
    }


def _replaces(uow: UnitOfWork, item_id: str) -> dict[str, Any]:
    """Return the item, record and master that this retrieval supersedes; nothing for the first issue."""
    item = uow.session.get_one(Item, item_id)
    if item.replaces_id is None:
        return {}
    record, master = get_record(uow, item.replaces_id), masters.get_of_item(uow, item.replaces_id)
    return {
        "replaces": {
            "item": item.replaces_id,
            "record": record.number if record is not None else None,
            "unchanged": item.unchanged,
            "master": None
            if master is None
            else {
                "key": master.sealed["key"],
                "sha256Cipher": master.sealed["sha256Cipher"],
                "supersededAt": master.superseded_at.isoformat() if master.superseded_at else None,
            },
        }
    }


def is_accepted(report: Report, sealed: Mapping[str, Any] | None) -> bool:
    """Whether the stage about partial footage accepts in advance what lacks: short losses, of few pictures."""
    accepts = STAGES["partial-footage"].accepts_lost_per_mille
    coverage = sealed["coverage"] if sealed else {}
    if report.outcome != "partial" or report.beyond_release or "pictures" not in coverage:
        return False
    if coverage["problems"] or coverage["lost"]:
        return False
    short = coverage["pictures"]["longestMs"] <= LONGEST_ACCEPTED // timedelta(milliseconds=1)
    return bool(short and not coverage["pictures"]["keyFramesOnly"] and report.coverage >= 1 - accepts / 1000)


def _recorder_changes(uow: UnitOfWork, order: Order, recorder_id: str) -> list[dict[str, Any]]:
    """Return who changed where the recorder is, or its zone, since the form was submitted."""
    application = uow.session.get_one(Application, order.application_id)
    changes = select(AuditEvent).where(
        AuditEvent.action == "recorder-changed",
        AuditEvent.subject_id == recorder_id,
        AuditEvent.at >= application.submitted_at,
    )
    rows = []
    for event in uow.session.scalars(changes.order_by(AuditEvent.seq)):
        detail = json.loads(event.entry)["detail"]
        fields = recorders.changed_fields(detail["old"], detail["new"])
        if fields:
            rows.append({"at": event.at.isoformat(), "by": _person(uow, event.actor_id), "fields": fields})
    return rows


def _span(span: Mapping[str, str]) -> Span:
    return Span(datetime.fromisoformat(span["start"]), datetime.fromisoformat(span["end"]))


def _signed(span: Mapping[str, str]) -> Span:
    return Span(datetime.fromisoformat(span["from"]), datetime.fromisoformat(span["to"]))


def _span_to_json(span: Span) -> dict[str, str]:
    return {"start": span.start.isoformat(), "end": span.end.isoformat()}


def _true_time(clock: Clock, sealed: dict[str, Any] | None) -> dict[str, str] | None:
    """Return the true times of the first and the last picture; None where not known."""
    moments = {}
    for name in ("firstFrame", "lastFrame"):
        shown = sealed["coverage"].get(name) if sealed else None
        true = clock.true(datetime.fromisoformat(shown)) if shown else None
        if true is None:
            return None
        moments[name] = true.isoformat()
    return moments


def _files(sealed: dict[str, Any] | None) -> list[dict[str, Any]]:
    if sealed is None:
        return []
    return [
        {
            "bucket": sealed["bucket"],
            "key": sealed["key"],
            "version": sealed["versionId"],
            "label": sealed["key"] + ".label.json",
            "size": sealed["size"],
            "plainSize": sealed["plainSize"],
            "sha256Plain": sealed["sha256Plain"],
            "sha256Cipher": sealed["sha256Cipher"],
        }
    ]


def _person(uow: UnitOfWork, person_id: str) -> dict[str, str]:
    return {"id": person_id, "name": uow.session.get_one(Person, person_id).name}


def get_release(uow: UnitOfWork, application_id: str) -> Decision | None:
    """Return the storage office's latest decision on the case, where it is a release."""
    latest = uow.session.scalar(
        select(Decision)
        .where(Decision.application_id == application_id, Decision.stage == "storage-release")
        .order_by(Decision.round.desc(), Decision.issue.desc(), Decision.decided_at.desc())
        .limit(1)
    )
    return latest if latest is not None and latest.outcome == "approved" else None
