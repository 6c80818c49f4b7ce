"""Compare what a recorder lists with the register, and register what an administrator chooses of it.

A list changes no camera of the register: it adds, and says which are not listed any more. Name, place, site and class
are a person's words; of the recorder come the channel and a proposal for the name.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from anyio import fail_after
from sqlalchemy import select

from services.database.tables.cameras import Camera, Recorder
from services.database.unit_of_work import Actor, Database, UnitOfWork
from services.domain.access import administrators
from services.domain.audit import trail as audit_trail
from services.domain.cameras import recorders as camera_recorders
from services.domain.cameras import service
from services.domain.cameras.recorder_probe import DOWN_MESSAGES, TIMEOUT_SECONDS
from services.recorders.protocol import ListedCamera, OutsideRoots, RecorderDown
from services.recorders.registry import cameras_of
from services.runtime.errors import Fatal, NotFound, Refused, Retryable
from services.runtime.translations import Message, Text
from services.web.dependencies import OpenRecorder

LONGEST = 200  # characters of a channel or a name
AT_ONCE = 100  # cameras that a page offers to register


@dataclass(frozen=True)
class Comparison:
    """What a recorder lists, beside the register.

    ``new`` are those that the register has not; ``known`` is how many it has, ``retired`` the cameras out of use that
    it has for channels that are listed, ``gone`` those in use whose channel is not listed, ``unusable`` how many lines
    of the list name no channel that could be entered. ``problem`` says why there is no list.
    """

    new: Sequence[ListedCamera] = ()
    known: int = 0
    retired: Sequence[Camera] = ()
    gone: Sequence[Camera] = ()
    unusable: int = 0
    problem: Text | None = field(default=None)


async def compare(database: Database, actor: Actor, recorders: OpenRecorder, recorder_id: str) -> Comparison:
    """Ask a recorder for its cameras, for an administrator, and note which are not listed any more."""
    row, _ = await database.run(actor, camera_recorders.get_for_test, recorder_id)
    found = await _ask(recorders, row)
    if not isinstance(found, list):
        return Comparison(problem=found)
    return await database.run(actor, record, recorder_id, found)


async def _ask(recorders: OpenRecorder, row: Recorder) -> list[ListedCamera] | Text:
    """Return the list, or why there is none: each wrong answer is a sentence."""
    try:
        with fail_after(TIMEOUT_SECONDS):
            client = cameras_of(recorders(row.kind, {name: str(value) for name, value in row.configuration.items()}))
            if client is None:
                return Message("Recorders of this type list no cameras: enter them one by one, or import a CSV file.")
            found = await client.list_cameras()
    except RecorderDown as error:
        return DOWN_MESSAGES.get(error.code, DOWN_MESSAGES["down"])
    except TimeoutError:
        return DOWN_MESSAGES["silent"]
    except OutsideRoots:
        return Message("The recorder is where the settings allow none: correct its address or folder.")
    except (Fatal, Retryable):
        return Message("The configuration is not valid: correct the type and fields.")
    return found or Message("The recorder lists no camera: check whether cameras are connected to it.")


def record(uow: UnitOfWork, recorder_id: str, listed: Sequence[ListedCamera]) -> Comparison:
    """Compare a list with the register; a camera that is missing in it is marked until it is listed again.

    A list of which nothing can be used marks no camera.
    """
    administrators.require_administrator(uow)
    usable = {one.channel: one for one in listed if _is_usable(one.channel)}
    query = select(Camera).where(Camera.recorder_id == recorder_id).order_by(Camera.channel, Camera.id)
    cameras = uow.session.scalars(query).all()
    in_use = {camera.channel for camera in cameras if camera.active}
    out_of_use = {camera.channel for camera in cameras} - in_use
    new, known, again = [], 0, set()
    for one in usable.values():
        called = {one.channel, *one.also}
        if called & in_use:
            known += 1
        elif called & out_of_use:
            again |= called & out_of_use
        else:
            new.append(ListedCamera(one.channel, _name(one.name), one.also))
    everything = {called for one in usable.values() for called in (one.channel, *one.also)}
    gone = [camera for camera in cameras if camera.active and camera.channel not in everything] if usable else []
    _mark(uow, recorder_id, [camera for camera in cameras if camera.active] if usable else [], gone)
    return Comparison(
        new=new,
        known=known,
        retired=[camera for camera in cameras if not camera.active and camera.channel in again],
        gone=gone,
        unusable=sum(not _is_usable(one.channel) for one in listed),
        problem=None if usable else Message("The recorder lists no camera that could be entered: check its channels."),
    )


def register(
    uow: UnitOfWork, recorder_id: str, entries: Sequence[tuple[service.CameraEntry, frozenset[str]]]
) -> list[Camera]:
    """Register cameras of a recorder, each with what else its channel is called; all of them or none.

    Refused for a channel that the register has, in use or not: what it has is changed by its own page, with its rules.
    """
    administrators.require_administrator(uow)
    if not entries:
        raise Refused("nothing-chosen", "Choose at least one camera.", status=422)
    if uow.session.get(Recorder, recorder_id) is None:
        raise NotFound(Message("recorder"), recorder_id)
    taken = set(uow.session.scalars(select(Camera.channel).where(Camera.recorder_id == recorder_id)))
    added = []
    for entry, also in entries:
        if entry.recorder_id != recorder_id:
            raise Refused("recorder-other", "All cameras must be of this recorder.", status=422)
        if known := taken & {entry.channel, *also}:
            raise Refused(
                "channel-known",
                "The register has channel {channel} of this recorder already, perhaps out of use: change that camera.",
                channel=min(known),
            )
        added.append(service.add(uow, entry))
        taken |= {entry.channel, *also}
    return added


def _mark(uow: UnitOfWork, recorder_id: str, cameras: Sequence[Camera], gone: Sequence[Camera]) -> None:
    missing = {camera.id for camera in gone}
    newly = [camera for camera in gone if camera.unlisted_at is None]
    for camera in cameras:
        if camera.id not in missing:
            camera.unlisted_at = None
        elif camera.unlisted_at is None:
            camera.unlisted_at = uow.now
    if newly:
        channels = [camera.channel for camera in newly]
        audit_trail.record(uow, "recorder-cameras-missing", "recorder", recorder_id, channels=channels)


def _is_usable(channel: str) -> bool:
    wrong = channel.startswith("/") or ".." in channel.split("/")
    return bool(channel.strip()) and len(channel) <= LONGEST and channel.isprintable() and not wrong


def _name(name: str) -> str:
    return "".join(letter for letter in name if letter.isprintable()).strip()[:LONGEST]
