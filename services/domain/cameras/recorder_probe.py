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
    "missing": Message("Its folder is not there: check the path or mount it, then test again."),
    "empty": Message("Its folder is empty, as without its disk: mount it, then test again."),
    "denied": Message("It may not be read: give the account that runs this system the right to read it."),
    "unreadable": Message("It cannot be read: look at its disk or mount."),
    "unreachable": Message("No connection can be made: check its address and port, its power and the network."),
    "silent": Message(
        "It takes the connection and says nothing: see whether it hangs or is overloaded, and restart it."
    ),
    "tls": Message("Its certificate is not trusted: add its authority to this system, or give it another certificate."),
    "login": Message("It does not accept the user and password: type them again."),
    "privacy": Message(
        "It shows its privacy page: open its pages as an administrator, answer the question there, and try again."
    ),
    "forbidden": Message("The user has no right to its recordings: give it that right on the recorder."),
    "busy": Message("It is busy: try again later, and give it fewer fetches at once where that keeps happening."),
    "not-a-recorder": Message(
        "What answers there is no such recorder, but a login page for instance: check its address, port and kind."
    ),
    "zone": Message(
        "Its time zone is another one than what is entered here: look which is right, and correct the other."
    ),
    "broken-off": Message("It broke off in the middle of an answer: look at the network and at how busy it is."),
    "down": Message("It does not answer: check its power, network and address."),
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
    except RecorderDown as error:
        findings.append(_down_finding(error.code))
    except OutsideRoots:
        findings.append(
            Finding(
                "outside-roots",
                Message(
                    "Its folder lies outside those allowed: move it, or add its root to FOOTAGE_DESK_RECORDERS__ROOTS."
                ),
            )
        )
    except (Fatal, Retryable):
        findings.append(
            Finding(
                "configuration",
                Message("Its configuration cannot be used: correct its kind and fields."),
            )
        )
    if not cameras and not findings:
        findings.append(Finding("no-cameras", Message("No camera of it is entered yet: enter them.")))
    return ProbeResult(facts, sorted(findings, key=lambda finding: finding.ok))


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
                Message("Its clock was not measured: compare it with true time and enter the offset."),
            )
        ]
    if abs(offset) > MAX_CLOCK_OFFSET_MS:
        seconds = f"{offset / 1000:+.1f}"
        return [
            Finding(
                "clock-off",
                Message("Its clock is {seconds} s off true time: set it by NTP.", seconds=seconds),
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
                Message("{what}: nothing was recorded in the last 7 days: see that its channel records.", what=name),
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
                "{what}: records, but nothing can be fetched from here: export it on the recorder, and bring the file.",
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
            Message("{what}: its newest recording shows no picture: look at its format.", what=name),
        )
    if now - newest > MAX_RECORDING_AGE:
        return Finding(
            "stale",
            Message("{what}: its newest recording is more than 2 days old: see that it still records.", what=name),
        )
    if picture is None:
        seen = Message("its newest recording is too large to be read for a picture")
    else:
        seen = Message("shows a picture")
    return Finding("ok", Message("{what}: records, and {seen}.", what=name, seen=seen), ok=True)
