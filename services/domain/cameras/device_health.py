"""Keep what stores and recorders tell of their disks, with its moment (R10)."""

from collections.abc import Sequence

from services.database.tables.devices import DeviceHealth
from services.database.unit_of_work import UnitOfWork
from services.domain.audit import trail as audit_trail
from services.domain.cameras.recorder_probe import DOWN_MESSAGES
from services.runtime.storage_health import BAD, GOOD, NOT_TOLD, Disk, State, StorageHealth
from services.runtime.translations import Counted, Message, Text


def health_of(disks: Sequence[Disk]) -> StorageHealth:
    """Return the health of a recorder with these disks. Recorders overwrite: their free space says nothing of it."""
    failed = [disk for disk in disks if disk.failed]
    findings: list[Text] = [
        Message("Disk {name} fails: the recorder calls it {status}.", name=disk.name, status=disk.status)
        for disk in failed
    ]
    untold = [disk for disk in disks if disk.failed is None]
    if not disks:
        findings.append(Message("The recorder lists no disk."))
    elif untold:
        findings.append(
            Counted(
                "The recorder does not report whether {count} disk fails.",
                "The recorder does not report whether {count} disks fail.",
                len(untold),
            )
        )
    figures = {"disks": len(disks), "disksFailed": len(failed)}
    for name, sizes in (
        ("totalBytes", [disk.total_bytes for disk in disks]),
        ("freeBytes", [disk.free_bytes for disk in disks]),
    ):
        known = [size for size in sizes if size is not None]
        if known and len(known) == len(sizes):
            figures[name] = sum(known)
    state: State = BAD if failed else GOOD if disks and not untold else NOT_TOLD
    return StorageHealth(state, tuple(findings), figures, disks)


def keep_disks(uow: UnitOfWork, recorder_id: str, disks: Sequence[Disk]) -> DeviceHealth:
    """Keep what a recorder has told of its disks."""
    return keep(uow, recorder_id, health_of(disks), recorder_id=recorder_id)


def keep_untold(uow: UnitOfWork, recorder_id: str, code: str) -> DeviceHealth:
    """Keep that a recorder which answers does not tell of its disks; ``code`` as in RecorderDown."""
    because = Message(
        "The recorder answers, and does not report its disks. {because}",
        because=DOWN_MESSAGES.get(code, DOWN_MESSAGES["down"]),
    )
    row = _row(uow, recorder_id, recorder_id)
    row.asked_at, row.failure = uow.now, _sentence(because)
    return row


def keep(uow: UnitOfWork, source: str, health: StorageHealth, *, recorder_id: str | None = None) -> DeviceHealth:
    """Keep what was read of a source. A change of its state is recorded."""
    row = _row(uow, source, recorder_id)
    findings = [_sentence(finding) for finding in health.findings]
    if row.state != health.state:
        if BAD in (row.state, health.state):
            audit_trail.record(
                uow,
                "device-health-changed",
                "recorder" if recorder_id is not None else "store",
                source,
                old=row.state,
                new=health.state,
                findings=[finding["en"] for finding in findings],
            )
        row.state, row.since = health.state, uow.now
    row.told_at = row.asked_at = uow.now
    row.findings, row.figures, row.failure = findings, dict(health.figures), None
    row.disks = [disk.as_json() for disk in health.disks]
    return row


def _row(uow: UnitOfWork, source: str, recorder_id: str | None) -> DeviceHealth:
    row = uow.session.get(DeviceHealth, source, with_for_update=True, populate_existing=True)
    if row is None:
        row = DeviceHealth(
            source=source, recorder_id=recorder_id, state=NOT_TOLD, since=uow.now, asked_at=uow.now,
            findings=[], figures={}, disks=[],
        )  # fmt: skip
        uow.session.add(row)
    return row


def _sentence(text: Text) -> dict[str, str]:
    return {"zh": text.zh, "en": text.en}
