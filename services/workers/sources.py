"""Open recorders for workers, and record their clock whenever one is probed."""

from collections.abc import Mapping
from typing import Protocol

from services.database.unit_of_work import Actor, Database
from services.domain.cameras import measurements
from services.domain.cameras.clocks import Clock
from services.domain.cameras.measurements import CameraChannel
from services.domain.cases import storage_office
from services.recorders.protocol import Recorder, RecorderDown


class Recorders(Protocol):
    """Opens a recorder by kind and configuration; ``recorders.registry.open_recorder`` is one."""

    def __call__(self, kind: str, configuration: Mapping[str, str], /) -> Recorder: ...


def open_source(recorders: Recorders, source: CameraChannel) -> Recorder:
    """Open the recorder of a camera."""
    return recorders(source.kind, {name: str(value) for name, value in source.configuration.items()})


async def probe(database: Database, actor: Actor, recorder: Recorder, source: CameraChannel) -> Clock:
    """Probe a recorder and record its clock and oldest frames; return the clock.

    Raises RecorderDown when it cannot be reached.
    """
    try:
        facts = await recorder.probe()
    except RecorderDown:
        await database.run(actor, storage_office.record_unreachable, source.recorder_id)
        raise
    if not facts.reachable:
        await database.run(actor, storage_office.record_unreachable, source.recorder_id)
        raise RecorderDown(
            f"could not ask the recorder | recorder {source.recorder_id} at {source.site} | it cannot be reached | "
            "switch it on or mend its network; the work goes on by itself"
        )
    return await database.run(actor, measurements.record_measured, source.recorder_id, facts)
