"""Open recorders for workers, record their clock whenever one is probed, and spare those that are silent.

However many jobs wait for a silent recorder, one in half a minute asks it, and one in each process asks any that is
silent: the jobs of recorders that answer keep their places.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Protocol

import anyio

from services.database.unit_of_work import Actor, Database
from services.domain.cameras import measurements
from services.domain.cameras.clocks import Clock
from services.domain.cameras.measurements import CameraChannel
from services.domain.cases import storage_office
from services.recorders.protocol import Recorder, RecorderDown, RecorderFacts
from services.runtime.spans import Span

SILENT_SECONDS = 10.0  # for the answer of a recorder that gave none when it was asked last

_asked_while_silent: set[str] = set()


class NotAsked(RecorderDown):
    """The recorder was silent a moment ago, or another silent one is being asked: it was not asked now."""


class Recorders(Protocol):
    """Opens a recorder by kind and configuration; ``recorders.registry.open_recorder`` is one."""

    def __call__(self, kind: str, configuration: Mapping[str, str], /) -> Recorder: ...


def open_source(recorders: Recorders, source: CameraChannel) -> Recorder:
    """Open the recorder of a camera."""
    return recorders(source.kind, {name: str(value) for name, value in source.configuration.items()})


async def probe(database: Database, actor: Actor, recorder: Recorder, source: CameraChannel) -> Clock:
    """Probe a recorder and record its clock and oldest frames; return the clock.

    Raises RecorderDown when it cannot be reached; NotAsked, without asking it, when it was silent a moment ago.
    """
    silent = await database.run(actor, measurements.may_ask, source.recorder_id, elsewhere=bool(_asked_while_silent))
    if silent is None:
        cause = _explained(source, "it did not answer a moment ago")
        raise NotAsked(cause, awaits=source.recorder_id)
    try:
        if silent:
            _asked_while_silent.add(source.recorder_id)
            with anyio.fail_after(SILENT_SECONDS):
                facts = await _ask(database, recorder, source)
        else:
            facts = await _ask(database, recorder, source)
    except RecorderDown as error:
        await database.run(actor, storage_office.record_unreachable, source.recorder_id, error.code)
        raise
    except TimeoutError as error:
        await database.run(actor, storage_office.record_unreachable, source.recorder_id)
        raise _down(source, f"no answer within {SILENT_SECONDS:g} s", "silent") from error
    finally:
        _asked_while_silent.discard(source.recorder_id)
    return await database.run(actor, measurements.record_measured, source.recorder_id, facts)


async def _ask(database: Database, recorder: Recorder, source: CameraChannel) -> RecorderFacts:
    facts = await recorder.probe()
    if facts.reachable:
        return facts
    now = database.clock.now()
    try:  # the reason, which a probe does not tell: a wrong password is not waited for
        await recorder.coverage(source.channel, Span(now - timedelta(seconds=1), now))
    except RecorderDown as error:
        raise _down(source, str(error), error.code, hangs=error.hangs) from error
    raise _down(source, "it cannot be reached", "down")


def _down(source: CameraChannel, cause: str, code: str, *, hangs: bool = False) -> RecorderDown:
    return RecorderDown(_explained(source, cause), code, hangs=hangs, awaits=source.recorder_id)


def _explained(source: CameraChannel, cause: str) -> str:
    return (
        f"could not ask the recorder | recorder {source.recorder_id} at {source.site} | {cause} | "
        "switch it on or mend its network"
    )
