"""The storage office: releases, footage on its way, recorders, what is preserved."""

from datetime import datetime, timedelta
from typing import Literal

from services.domain.cases.schemas.timeline import Standstill
from services.web.problem import Problem
from services.web.schemas import Answer

PreservedSort = Literal["preserved", "number", "camera"]
RecorderSort = Literal["name", "site", "clock", "seen"]


class WaitingRelease(Answer):
    """An open release; ``proposedBy`` has released it, and a second person is to confirm."""

    review_id: str
    application_id: str
    number: str | None
    opened_at: datetime
    due_at: datetime
    claimed_by: str | None
    proposed_by: str | None


class FootageProgress(Answer):
    """One item on its way: ``size`` in bytes and ``share`` 0 to 1 of the phase; ``silent``: nobody works on it now.

    ``retried``: what failed last is tried again, unless there is a ``standstill``; a preservation at ``nextTryAt``, now
    where that is null, and not once its recorder has ``overwritten`` the footage or its retrieval has begun.
    """

    application_id: str
    item_id: str
    number: str | None
    position: int
    camera_zh: str
    camera_en: str
    recorder: str
    purpose: str
    phase: str
    size: int
    share: float
    since: datetime
    attempts: int
    heartbeat_at: datetime
    silent: bool
    last_error: Problem | None
    last_error_at: datetime | None
    standstill: Standstill | None = None
    retried: bool = True
    next_try_at: datetime | None = None
    overwritten: bool = False


class WatchedCamera(Answer):
    """``retentionChangeSeconds``: how much further back it can be seen than a week ago; negative: less."""

    camera_id: str
    channel: str
    name_zh: str
    name_en: str
    camera_class: str
    oldest_frame_at: datetime | None
    oldest_measured_at: datetime | None
    retention_days: int
    retention_change_seconds: int | None

    @property
    def reach(self) -> timedelta | None:
        if self.oldest_measured_at is None or self.oldest_frame_at is None:
            return None
        return self.oldest_measured_at - self.oldest_frame_at


class WatchedRecorder(Answer):
    """What was last measured of a recorder, and what was wrong when it was asked last.

    ``clockOffsetMs`` is its clock minus true time; ``tellsItsTime``: its picture's clock need not be compared.
    """

    id: str
    name: str
    site: str
    make: str | None
    model: str | None
    zone: str
    clock_offset_ms: int | None
    clock_method: str | None
    clock_uncertainty_ms: int | None
    clock_measured_at: datetime | None
    tells_its_time: bool
    last_seen_at: datetime | None
    polled_at: datetime | None
    last_error: Problem | None
    cameras: list[WatchedCamera]

    @property
    def oldest_frame_at(self) -> datetime | None:
        known = (camera.oldest_frame_at for camera in self.cameras)
        return min((moment for moment in known if moment is not None), default=None)


class PreservedItem(Answer):
    """A quarantine object; its hold ends with its case, and the recorder may overwrite it at ``overwriteAt``."""

    id: str
    application_id: str
    number: str | None
    position: int
    camera_zh: str
    camera_en: str
    preserved_at: datetime
    outcome: str
    overwrite_at: datetime | None


class StorageFigures(Answer):
    """Items: retrieved since midnight, released and not retrieved yet, and failed today or in trouble."""

    retrieved: int
    waiting: int
    failed: int


class StorageOffice(Answer):
    """The storage office at a glance; ``mayMeasure``: you may measure recorders."""

    releases: list[WaitingRelease]
    work: list[FootageProgress]
    recorders: list[WatchedRecorder]
    preserved: list[PreservedItem]
    figures: StorageFigures
    may_measure: bool
