"""Three dozen example cases at every stage, made by the demo's people through the API.

What is finished is noted in a file, and a case is known again by its incident number, so that a start after any end
goes on where the last one stopped and makes no case twice.
"""

import json
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import partial
from itertools import cycle
from pathlib import Path
from typing import Any, Self

from sqlalchemy import select

from services.database.tables.applications import Application
from services.database.unit_of_work import UnitOfWork
from services.demo import organisation, plots
from services.demo.people import People, wait_for
from services.demo.plots import Plot, Span
from services.demo.recordings import NEW, ZONE, Recordings, yesterday
from services.demo.steps import Case
from services.runtime.logs import get_logger
from services.runtime.threads import run_in_thread

log = get_logger(__name__)

# Long enough that the first loan is overdue, and short enough that its grace period is not over.
AHEAD = timedelta(days=10, hours=9)
# The time for each step, in turn. On the last day their sum stays below the time limit of the first open review.
PACE = tuple(timedelta(minutes=minutes) for minutes in (25, 50, 15, 70, 40))
PACE_TODAY = tuple(timedelta(minutes=minutes) for minutes in (5, 12, 3, 15, 8))
FILE = "demo-cases.json"


@dataclass(frozen=True)
class Later:
    """What is done with the copies of a case that were lent on an earlier day; ``act`` is one of ``plots``."""

    plot: Plot
    act: str

    @property
    def reference(self) -> str:
        """Return what it is noted under when it is done."""
        return f"{self.plot.reference} {self.act}"


@dataclass(frozen=True)
class Chapter:
    """Cases of one day; ``after`` the beginning, to which the clock is turned. What is done ``later`` comes last."""

    after: timedelta
    plots: tuple[Plot, ...]
    pace: tuple[timedelta, ...] = PACE
    later: tuple[Later, ...] = ()

    @property
    def parts(self) -> tuple[Plot | Later, ...]:
        return *self.plots, *self.later


CHAPTERS = (
    Chapter(timedelta(), plots.FIRST),
    Chapter(timedelta(days=4), plots.SECOND),
    Chapter(timedelta(days=7), plots.THIRD),
    Chapter(AHEAD, plots.TODAY, PACE_TODAY),
)


@dataclass
class Progress:
    """What is finished, in a file of the data folder; ``begun`` is the time of the demo's clock at the beginning."""

    path: Path
    begun: datetime
    finished: list[str]

    @classmethod
    def read(cls, folder: Path) -> Self | None:
        """Return what was noted, or None before the beginning."""
        path = folder / FILE
        if not path.exists():
            return None
        noted = json.loads(path.read_text(encoding="utf-8"))
        return cls(path, datetime.fromisoformat(noted["begun"]), noted["finished"])

    @classmethod
    def begin(cls, folder: Path, now: datetime) -> Self:
        progress = cls(folder / FILE, now, [])
        progress._write()
        return progress

    def finish(self, reference: str) -> None:
        self.finished.append(reference)
        self._write()

    def left(self, chapters: Sequence[Chapter]) -> int:
        """Return how many cases, and acts in them, are not finished."""
        return sum(part.reference not in self.finished for chapter in chapters for part in chapter.parts)

    def _write(self) -> None:
        unfinished = self.path.with_suffix(".unfinished")
        unfinished.write_text(json.dumps({"begun": self.begun.isoformat(), "finished": self.finished}))
        unfinished.replace(self.path)


@dataclass(frozen=True)
class Known:
    """A case that is there already."""

    id: str
    number: str


@dataclass(frozen=True)
class Stage:
    """What the cases are made with: the portal, the demo's clock, and what the cameras see.

    ``known`` returns the cases that are there, by incident number; ``person_id`` the id of the person with a login.
    """

    address: str
    passwords: Mapping[str, str]
    now: Callable[[], datetime]
    known: Callable[[], Awaitable[Mapping[str, Known]]]
    recordings: Recordings
    person_id: Callable[[str], str] = organisation.demo_id


def list_known(uow: UnitOfWork) -> Mapping[str, Known]:
    """Return the applications with an incident number, by it; without one by their id."""
    rows = uow.session.execute(select(Application.incident_reference, Application.id, Application.number))
    return {reference or id_: Known(id_, number or "") for reference, id_, number in rows}


async def lay_out(stage: Stage, progress: Progress, chapters: Sequence[Chapter] = CHAPTERS) -> None:
    """Make the cases that are not finished. Raises StepFailed."""
    async with People(stage.address, dict(stage.passwords)) as people:
        scene = _Scene(stage, people, await stage.known())
        for chapter in chapters:
            left = [part for part in chapter.parts if part.reference not in progress.finished]
            if left:
                await scene.begin(progress.begun + chapter.after, chapter)
            for part in left:
                await (scene.lead(part) if isinstance(part, Plot) else scene.act_later(part))
                progress.finish(part.reference)
    log.info("the demo's cases are made", cases=len(progress.finished))


class _Scene:
    """Leads each case to where it stands; what is done already is not done again."""

    def __init__(self, stage: Stage, people: People, known: Mapping[str, Known]) -> None:
        self._stage = stage
        self._people = people
        self._known = dict(known)
        self._resumed = {case.id for case in known.values()}
        self._pace: Iterator[timedelta] = cycle(PACE)
        self._day = date.min

    async def begin(self, moment: datetime, chapter: Chapter) -> None:
        """Turn the clock to ``moment``, and record what the chapter's cases ask for of the day before."""
        self._pace, self._day = cycle(chapter.pace), yesterday(moment)
        await self._turn(moment - self._stage.now())
        spans = [span for plot in chapter.plots for span in plot.spans if span.camera != NEW]
        await run_in_thread(self._record, spans)

    def _record(self, spans: Sequence[Span]) -> None:
        for span in spans:
            self._stage.recordings.record(span.camera, self._start(span), span.seconds)

    def _start(self, span: Span) -> datetime:
        return datetime.combine(self._day, span.start, ZONE)

    async def lead(self, plot: Plot) -> None:
        """Lead a case to its target, one act after the other."""
        case, target = await self._applied(plot), plot.target
        if target == plots.WITHDRAWN:
            await self._withdraw(case, plot)
        elif target != plots.DRAFT and await self._approved(case, plot):
            await self._lead_on(case, plot)
        if target in plots.ENDED:  # the clock may be turned by days next
            await wait_for("the end of the case", partial(self._is_closed, case))

    async def _approved(self, case: Case, plot: Plot) -> bool:
        """Take the decisions up to the target; return whether the footage is released."""
        terms = {"usePeriodDays": plot.use_days, "wayOfUse": plot.way_of_use}
        decisions: list[tuple[str, str, str, dict[str, Any]]] = [
            (plots.DEPARTMENT, plot.decides_first, "approved", {}),
            (plots.SECURITY, "wulei", "approved", terms),
            (plots.SIGNATURE, "zhaoqiang", "signed", {}),
            *([(plots.MANAGEMENT, "gaofeng", "", {})] if plot.target == plots.MANAGEMENT else []),
            (plots.RELEASE, "hutao", "approved", {}),
        ]
        refused_at, refusal = plots.REFUSALS.get(plot.target, ("", ""))
        for stage, login, outcome, more in decisions:
            if stage == plot.target:
                await case.review(login, stage)
                return False
            if stage == refused_at:
                await self._decide(case, login, stage, refusal, reason=plot.words)
                return False
            await self._decide(case, login, stage, outcome, **more)
        return True

    async def _lead_on(self, case: Case, plot: Plot) -> None:
        """Lead a released case on."""
        target = plot.target
        if target == plots.STUCK:
            await wait_for("the stop at the recorder", partial(self._is_stuck, case))
        elif target == plots.PARTIAL:
            await wait_for("the question about partial footage", partial(self._is_asked, case, target))
        elif not (self._is_resumed(case) and await self._is_closed(case)):
            await self._retrieved(case)
            hand_over = await self._offered(case)
            if target != plots.OFFERED:
                await self._lend(case, hand_over, give_back=target == plots.ARCHIVED)

    async def act_later(self, later: Later) -> None:
        """Return the copies of a case, or ask for a matter about them, unless that is done."""
        case = await self._applied(later.plot)
        hand_over = await (await self._people(case.custodian)).get(
            f"/api/hand-overs/{(await case.show())['handOver']['id']}"
        )
        await self._advance()
        if later.act == plots.RETURN:
            if hand_over["returnedAt"] is None:
                await case.give_back(hand_over)
            await case.review("guotao", plots.INSPECTION)
        else:
            await self._ask_for(later, case, hand_over)

    async def _ask_for(self, later: Later, case: Case, hand_over: dict[str, Any]) -> None:
        opener, decider = plots.WHO_ASKS.get(later.act, ""), plots.WHO_ANSWERS.get(later.act, "")
        person = await self._people(opener or case.custodian)
        asked_for = (await person.get("/api/matters", kind=later.act))["matters"]
        if not any(matter["applicationId"] == case.application_id for matter in asked_for):
            asked = {**plots.MATTERS[later.act]}
            signed = {}
            if later.act == plots.EXTENSION:
                due_at = datetime.fromisoformat(hand_over["dueAt"])
                asked["dueAt"] = (due_at + plots.EXTENDED_BY).isoformat()
            elif later.act == plots.TRANSFER:
                asked["toPersonId"], signed = self._stage.person_id(later.plot.drafter), {"password": person.password}
            await person.post(
                "/api/matters", {"kind": later.act, "applicationId": case.application_id, "asked": asked, **signed}
            )
        await case.review(decider or later.plot.drafter, plots.STAGE_OF_MATTER[later.act])

    async def _lend(self, case: Case, hand_over: dict[str, Any], *, give_back: bool) -> None:
        if hand_over["acceptedAt"] is None:
            await self._advance()
            hand_over = await self._accept(case, hand_over)
        if hand_over["returnedAt"] is None:
            await case.view(hand_over)
        if not give_back:
            return
        if hand_over["returnedAt"] is None:
            await self._advance()
            await case.give_back(hand_over)
        await self._advance()
        await case.close()

    async def _is_closed(self, case: Case) -> bool:
        return bool((await case.show())["state"] == "closed")

    async def _is_stuck(self, case: Case) -> bool:
        timeline = await (await self._people("wulei")).get(f"/api/cases/{case.application_id}/timeline")
        return any(marker["kind"] == "stuck" for marker in timeline["markers"])

    async def _is_asked(self, case: Case, stage: str) -> bool:
        return bool((await case.show())["stateDetail"] == stage)

    async def _retrieved(self, case: Case) -> None:
        """Wait for the footage; accept what is partial unless that is done."""

        async def outcomes() -> list[str] | None:
            items = await case.items()
            return [item["outcome"] for item in items] if all(item["outcome"] for item in items) else None

        if "partial" in await wait_for("the footage", outcomes):
            reason = "缺口处没有录像，其余部分足以查明经过。"
            await self._decide(case, "wulei", plots.PARTIAL, "approved", reason=reason)

    async def _offered(self, case: Case) -> dict[str, Any]:
        """Return the hand-over of the case, once it can be accepted or has been."""
        custodian = await self._people(case.custodian)

        async def offer() -> Any:
            waiting = {review["applicationId"] for review in await custodian.get("/api/reviews", stage="receipt")}
            if case.application_id not in waiting and not self._is_resumed(case):
                return None
            held = (await case.show())["handOver"]
            if held is None or (held["acceptedAt"] is None and case.application_id not in waiting):
                return None
            return await custodian.get(f"/api/hand-overs/{held['id']}")

        hand_over: dict[str, Any] = await wait_for("the hand-over", offer)
        return hand_over

    async def _accept(self, case: Case, offered: dict[str, Any]) -> dict[str, Any]:
        custodian = await self._people(case.custodian)
        accepted: dict[str, Any] = await custodian.post(
            f"/api/hand-overs/{offered['id']}/accept",
            {
                "conditionsVersion": offered["conditionsVersion"],
                "formSha256": offered["formSha256"],
                "password": custodian.password,
            },
        )
        return accepted

    async def _withdraw(self, case: Case, plot: Plot) -> None:
        if self._is_resumed(case) and await self._is_closed(case):
            return
        await case.review(plot.decides_first, plots.DEPARTMENT)
        await self._advance()
        drafter = await self._people(plot.drafter)
        await drafter.post(f"/api/applications/{case.application_id}/withdraw", {"reason": plot.words})

    async def _decide(self, case: Case, login: str, stage: str, outcome: str, **more: Any) -> None:
        """Wait for the review, advance the clock, and decide, unless that is done."""
        if self._is_resumed(case) and await self._is_decided(case, stage):
            return
        review = await case.review(login, stage)
        await self._advance()
        await case.sign(review, login, outcome, **more)

    def _is_resumed(self, case: Case) -> bool:
        return case.application_id in self._resumed

    async def _is_decided(self, case: Case, stage: str) -> bool:
        return any(row["stage"] == stage and row["outcome"] for row in (await case.show())["reviews"])

    async def _advance(self) -> None:
        await self._turn(next(self._pace))

    async def _turn(self, ahead: timedelta) -> None:
        if ahead > timedelta():
            administrator = await self._people("luoxin")
            await administrator.post("/api/demo/clock", {"seconds": int(ahead.total_seconds()) + 1})

    async def _applied(self, plot: Plot) -> Case:
        """Return the case of the plot; make it unless it is there."""
        custodian = plot.keeps_copies
        known = self._known.get(plot.reference)
        if known is not None:
            return Case(self._people, lambda *_: None, known.id, known.number, custodian)
        drafter = await self._people(plot.drafter)
        form = {**self._form(plot), "submit": plot.target != plots.DRAFT}
        applied = await drafter.post("/api/applications", form)
        self._known[plot.reference] = Known(applied["id"], applied["number"] or "")
        return Case(self._people, lambda *_: None, applied["id"], applied["number"], custodian)

    def _form(self, plot: Plot) -> dict[str, Any]:
        return {
            "title": plot.title or None,
            "reason": plot.reason,
            "purpose": plot.purpose,
            "purposeCategory": plot.category,
            "legalBasis": "internal-management",
            "incidentReference": plot.reference,
            "wayOfUse": plot.way_of_use,
            "wayOfUseBecause": plots.DOWNLOADED_BECAUSE if plot.way_of_use == "download" else "",
            "placeOfUse": plot.place,
            "requestedUseDays": plot.use_days,
            "custodianId": self._stage.person_id(plot.keeps_copies),
            "recipientIds": [self._stage.person_id(plot.decides_first)],
            "urgentBecause": plot.urgent,
            "items": [
                {
                    "cameraId": organisation.demo_id(span.camera),
                    "start": self._start(span).isoformat(),
                    "end": (self._start(span) + timedelta(seconds=span.seconds)).isoformat(),
                    "zone": ZONE.key,
                }
                for span in plot.spans
            ],
        }
