"""Test a recorder and report each problem with its remedy.

Administrators see no footage: the picture is checked here, and neither stored nor shown.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from anyio import fail_after

from services.database.tables.cameras import Camera, Recorder
from services.database.unit_of_work import Actor, Database
from services.domain.cameras import recorders as camera_recorders
from services.domain.cameras.recorders import Finding
from services.recorders.protocol import (
    NothingRecorded,
    OutOfReach,
    OutsideRoots,
    RecorderDown,
    RecorderFacts,
    ReplayUnsupported,
    WrongChannel,
)
from services.recorders.protocol import Recorder as RecorderClient
from services.recorders.registry import KINDS
from services.runtime.errors import Fatal, Retryable
from services.runtime.spans import Span
from services.runtime.translations import Bilingual, Message
from services.web.dependencies import OpenRecorder

TIMEOUT_SECONDS = 60.0  # of the whole test
SEARCH_WINDOWS = (timedelta(hours=1), timedelta(days=1), timedelta(days=7))  # tried in turn until a recording is found
MAX_RECORDING_AGE = timedelta(days=2)
MAX_CLOCK_OFFSET_MS = 5000
JPEG_MAGIC = b"\xff\xd8\xff"

DOWN_MESSAGES = {
    "missing": Message("The folder does not exist: check the path or mount it, then test again."),
    "empty": Message("The folder is empty, perhaps because the disk is not mounted: mount it, then test again."),
    "denied": Message("No read permission: grant it to the account that runs this system."),
    "unreadable": Message("The folder cannot be read: check the disk or mount."),
    "unreachable": Message("Cannot connect: check the address and port, the power and the network."),
    "silent": Message(
        "Connected, but no response: check whether the recorder hangs or is overloaded, and restart it if necessary."
    ),
    "tls": Message(
        "The certificate is not trusted: add its certificate authority to this system, or replace the certificate."
    ),
    "login": Message("The recorder does not accept the username and password: enter them again."),
    "privacy": Message(
        "The recorder shows its privacy page: open its web pages as an administrator, answer the question there, "
        "and try again."
    ),
    "forbidden": Message("The user has no permission to play back recordings: grant it on the recorder."),
    "busy": Message(
        "The recorder is busy: try again later, and reduce the number of parallel reads if this happens often."
    ),
    "not-a-recorder": Message(
        "The response is not from a recorder of this type (perhaps a sign-in page): check the address, port and type."
    ),
    "too-large": Message(
        "The recorder's answer is too long to be read: set the recorder to write longer files or to keep fewer."
    ),
    "damaged-files": Message(
        "Too many files on the recorder are damaged, so it cannot list its recordings: remove them from its disk."
    ),
    "zone": Message(
        "The recorder's time zone differs from the one entered here: check which is right, and correct the other."
    ),
    "broken-off": Message("The connection was lost during the transfer: check the network and the recorder's load."),
    "no-list": Message("The recorder lists its cameras through its API only: enter the API address, then ask again."),
    "kind-failed": Message(
        "The recorder type, which comes from another package, has failed: give the log to its authors, or install "
        "another release of the package."
    ),
    "down": Message("The recorder is not responding: check its power, network and address."),
}


@dataclass(frozen=True)
class ProbeResult:
    """The findings, failed ones first.

    ``facts`` is None where the recorder could not be asked.
    """

    facts: RecorderFacts | None
    findings: list[Finding]

    @property
    def ok(self) -> bool:
        return all(finding.ok for finding in self.findings)


async def test_recorder(database: Database, actor: Actor, recorders: OpenRecorder, recorder_id: str) -> ProbeResult:
    """Test a recorder for an administrator and record the result."""
    row, cameras = await database.run(actor, camera_recorders.get_for_test, recorder_id)
    result = await probe(recorders, row, cameras, database.clock.now())
    facts = result.facts if result.facts is not None and result.facts.reachable else None
    await database.run(actor, camera_recorders.record_test, recorder_id, facts, result.findings)
    return result


async def probe(recorders: OpenRecorder, row: Recorder, cameras: Sequence[Camera], now: datetime) -> ProbeResult:
    """Open and probe a recorder, and check each camera.

    Every error of the recorder becomes a finding.
    """
    facts: RecorderFacts | None = None
    findings: list[Finding] = []
    try:
        with fail_after(TIMEOUT_SECONDS):
            client = recorders(row.kind, {name: str(value) for name, value in row.configuration.items()})
            facts = await client.probe()
            if not facts.reachable:
                return ProbeResult(facts, [await _why_down(client, now)])
            findings += _check_clock(facts)
            for camera in cameras:
                findings.append(await _check_camera(client, facts, camera, now))
    except TimeoutError:
        findings.append(_down_finding("down"))
    except (Fatal, Retryable) as error:
        findings.append(finding_of(error, row.kind))
    if not cameras and not findings:
        findings.append(Finding("no-cameras", Message("No cameras have been added for this recorder: add them.")))
    return ProbeResult(facts, sorted(findings, key=lambda finding: finding.ok))


def finding_of(error: Fatal | Retryable, kind: str) -> Finding:
    """Return what an error of a recorder means, with its remedy; ``kind`` is the recorder's."""
    if isinstance(error, RecorderDown):
        return _down_finding(error.code)
    if isinstance(error, OutsideRoots):
        return Finding(
            "outside-roots",
            Message(
                "The folder is outside the allowed folders: move it, or add its root to FOOTAGE_DESK_RECORDERS__ROOTS."
            ),
        )
    return _not_opened(kind)


def _not_opened(kind: str) -> Finding:
    if kind not in KINDS:
        return Finding(
            "kind-missing",
            Message("The type of this recorder is not installed, or cannot be used: see the list of recorders."),
        )
    return Finding("configuration", Message("The configuration is not valid: correct the type and fields."))


async def _why_down(client: RecorderClient, now: datetime) -> Finding:
    """Ask an unreachable recorder for coverage to learn the reason."""
    try:
        await client.coverage("-", Span(now - timedelta(seconds=1), now))
    except RecorderDown as error:
        return _down_finding(error.code)
    except Fatal:
        return _down_finding("down")
    return _down_finding("down")


def _down_finding(code: str) -> Finding:
    return Finding(f"recorder-{code}", DOWN_MESSAGES.get(code, DOWN_MESSAGES["down"]))


DOWN_FINDING = _down_finding("down")


def _check_clock(facts: RecorderFacts) -> list[Finding]:
    offset = facts.clock_offset_ms
    if offset is None:
        return [
            Finding(
                "clock-unknown",
                Message("The clock was not measured: compare it with true time and enter the offset."),
            )
        ]
    if abs(offset) > MAX_CLOCK_OFFSET_MS:
        seconds = f"{offset / 1000:+.1f}"
        return [
            Finding(
                "clock-off",
                Message("The clock is {seconds} s off true time: synchronise it with NTP.", seconds=seconds),
            )
        ]
    return []


async def _check_camera(client: RecorderClient, facts: RecorderFacts, camera: Camera, now: datetime) -> Finding:
    """Return a camera's first problem, or an ok finding."""
    name = Bilingual(camera.name_zh, camera.name_en)
    try:
        oldest = facts.oldest_frame.get(camera.channel)
        covered: list[Span] = []
        for window in SEARCH_WINDOWS:
            start = max(oldest, now - window) if oldest else now - window
            if not covered and start < now:
                covered = await client.coverage(camera.channel, Span(start, now))
        if not covered:
            return Finding(
                "no-recordings",
                Message(
                    "{what}: nothing was recorded in the last 7 days: check that the channel is recording.", what=name
                ),
            )
        newest = max(span.end for span in covered)
        picture: bytes | None = await client.snapshot(camera.channel, newest - timedelta(seconds=1))
    except WrongChannel:
        return Finding(
            "no-channel",
            Message("{what}: the recorder has no channel {channel}: correct it.", channel=camera.channel, what=name),
        )
    except ReplayUnsupported:
        return Finding(
            "replay-unsupported",
            Message(
                "{what}: recording, but footage cannot be retrieved from here: export it on the recorder and "
                "upload the file.",
                what=name,
            ),
        )
    except OutOfReach:
        picture = None
    except NothingRecorded:
        picture = b""
    if picture is not None and not picture.startswith(JPEG_MAGIC):
        return Finding(
            "no-picture",
            Message("{what}: the newest recording cannot be decoded: check the recording format.", what=name),
        )
    if now - newest > MAX_RECORDING_AGE:
        return Finding(
            "stale",
            Message(
                "{what}: the newest recording is more than 2 days old: check that it is still recording.", what=name
            ),
        )
    seen = Message("the newest recording is too large for a test image") if picture is None else Message("image OK")
    return Finding("ok", Message("{what}: recording, {seen}.", what=name, seen=seen), ok=True)
