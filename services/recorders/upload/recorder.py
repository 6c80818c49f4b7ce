"""A file that a person uploaded, as a recorder: it was clipped and sealed on receipt (R8, R9).

Its coverage was measured then. Its footage lies in the quarantine, so nothing is fetched from here.
"""

import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from services.recorders.protocol import NothingRecorded, RecorderFacts, Segment
from services.runtime.errors import Fatal
from services.runtime.spans import Span


@dataclass(frozen=True)
class UploadRecorder:
    """``covered`` is what was measured; ``clock_method`` says how the file's start is known."""

    covered: tuple[Span, ...]
    model: str
    identity: str
    zone: str
    clock_method: str

    @classmethod
    def from_configuration(cls, configuration: Mapping[str, str]) -> "UploadRecorder":
        """Keys: ``covered`` (JSON: pairs of ISO 8601 moments), ``model``, ``identity``, ``zone``, ``clock_method``."""
        try:
            pairs = json.loads(configuration["covered"])
            covered = tuple(Span(datetime.fromisoformat(start), datetime.fromisoformat(end)) for start, end in pairs)
        except (KeyError, TypeError, ValueError) as error:
            raise Fatal(
                "An uploaded file's configuration is not what was written when it was received: restore the register "
                "from its backup."
            ) from error
        return cls(covered, *(configuration.get(name, "") for name in ("model", "identity", "zone", "clock_method")))

    async def probe(self) -> RecorderFacts:
        return RecorderFacts(
            make="upload",
            model=self.model,
            identity=self.identity,
            reachable=True,
            oldest_frame={},
            clock_offset_ms=None,
            clock_method=self.clock_method,
            clock_uncertainty_ms=None,
            zone=self.zone,
        )

    async def coverage(self, channel: str, span: Span) -> list[Span]:
        return [part for one in self.covered if (part := one.intersect(span)) is not None]

    async def fetch(self, channel: str, span: Span) -> AsyncIterator[Segment]:
        for _ in ():
            yield _  # what the file holds is in the quarantine already

    async def snapshot(self, channel: str, at: datetime) -> bytes:
        raise NothingRecorded(
            "A file that a person brought lies sealed in the quarantine, and nobody here can open it: compare its "
            "title, start and SHA-256 with the form."
        )

    async def protect(self, channel: str, span: Span) -> bool:
        return True  # nothing overwrites it

    async def release(self, channel: str, span: Span) -> None:
        return None
