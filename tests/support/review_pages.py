"""What tests of the reviewers' pages share: a recorder that is asked, a page's form filled in, a page as it is read."""

import html
import re
from collections.abc import Sequence
from datetime import datetime

import httpx
from review_desk import PASSWORD, ReviewDesk

from services.database.tables.reviews import Review
from services.domain.stages.catalogue import STAGES
from services.recorders.protocol import NothingRecorded, RecorderDown, RecorderFacts
from services.runtime.spans import Span

HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>{{7*7}}"


class Lens:
    """A recorder that holds the first half of every span, nothing from ``still`` on, what it ``holds``, or is down."""

    down = False
    still: datetime | None = None
    holds: Sequence[Span] | None = None
    unread: Sequence[str] = ()

    async def list_unread(self, _channel: str, span: Span) -> list[str]:
        return list(self.unread)

    async def coverage(self, _channel: str, span: Span) -> list[Span]:
        if self.down:
            raise RecorderDown("down")
        if self.holds is not None:
            return [held for held in self.holds if held.intersect(span)]
        until = span.start + span.duration / 2
        until = until if self.still is None else min(until, self.still)
        return [Span(span.start, until)] if span.start < until else []

    async def snapshot(self, _channel: str, _at: object) -> bytes:
        if self.down:
            raise NothingRecorded("nothing")
        return b"\xff\xd8\xff"

    async def probe(self) -> RecorderFacts:
        return RecorderFacts("make", "model", "id", not self.down, {}, -2500, "configured", 100, "UTC")


def decision(desk: ReviewDesk, review_id: str, outcome: str, **more: str) -> dict[str, str]:
    """The form of a review's page, filled in favourably."""
    stage = STAGES[desk.the(Review, id=review_id).stage]
    answers = {f"answers-{question.code}": "true" for question in stage.questions}
    return {"outcome": outcome, "formSha256": desk.form_sha256(review_id), "password": PASSWORD, **answers, **more}


def text_of(answer: httpx.Response) -> str:
    """The page as a reader sees it: without marks, blanks drawn together."""
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]+>", " ", answer.text)))
