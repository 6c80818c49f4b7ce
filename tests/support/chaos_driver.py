"""The people around a server that dies under their hands: they look where the case stands, and do what is next.

A person whose call broke does not know whether it was done. So nobody repeats a call: everybody looks again first.
"""

import asyncio
import os
import signal
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import chaos_server
import httpx
from chaos_plan import Share
from prefork import ForkedProcess

from services.demo import organisation
from services.demo.people import NoAnswer, People, PortalUser, StepFailed
from services.runtime.clock import TurnedClock

LOOK_AGAIN = 0.1
LOOK_ANYWAY = 1.0
PERSON = " register person "
PATIENCE = 1500.0  # a hundred kills, with other tests beside
ENOUGH = 60.0  # a job whose server was killed is handed out again, however slow the machine is
ENDED = "after engine PROCESS_INSTANCE ELEMENT_COMPLETED video-retrieval#"
# Camera 1 has a gap of 21 s in this span, camera 2 none; camera 2 asks for management, a second person and a backup.
ITEMS = (("cam1", (22, 48, 15), (22, 49, 30)), ("cam2", (22, 46, 30), (22, 47, 0)))
DECIDERS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "preliminary": ("zhangwei", "approved", {}),
    "security": ("wulei", "approved", {"usePeriodDays": 10, "wayOfUse": "download"}),
    "security-signature": ("zhaoqiang", "signed", {}),
    "management": ("gaofeng", "approved", {"opinion": "同意调取，仅限事故调查使用。"}),
    "storage-release": ("hutao", "approved", {}),
    "partial-footage": ("wulei", "approved", {"reason": "缺口处没有录像，其余部分足以查明经过。"}),
    "return-inspection": ("guotao", "in-order", {}),
}
WATCHER = "lina"


class ServerDied(Exception):
    """The server is gone; who was in it looks again when it is back."""


@dataclass
class Run:
    """One case in one folder, through as many lives of the server as the plan asks for.

    ``answered`` are the acts that the server has confirmed: (review or act, outcome, login).
    """

    folder: Path
    drafter: str = WATCHER
    ended: str = ENDED  # the point that says that all is over
    withdraw_at: Callable[[dict[str, Any]], bool] | None = None
    before_return: Callable[[str], Awaitable[None]] | None = None
    custodian: str = "liuyang"  # who holds the copies now
    deciders: dict[str, tuple[str, str, dict[str, Any]]] = field(default_factory=lambda: dict(DECIDERS))
    lives: int = 0
    application_id: str = ""
    stands: dict[str, Any] = field(default_factory=dict)
    answered: list[tuple[str, str, str]] = field(default_factory=list)
    _process: ForkedProcess | None = None
    _people: People | None = None
    _viewed: set[str] = field(default_factory=set)
    _looked_at_copies: bool = False
    _closed_since: float | None = None
    _read_to: int = 0  # of visits.txt

    async def to_the_end(self, share: Share | None) -> None:
        """Play until the case is closed and its process has ended; raises StepFailed with what repeats it."""
        if share is not None:
            share.write(self.folder)
        (self.folder / "struck.txt").touch()
        (self.folder / "visits.txt").touch()
        try:
            async with asyncio.timeout(PATIENCE):
                while not await self._round():
                    await self._news()
                await self._end_in_order()
        except Exception as error:
            raise StepFailed(f"{type(error).__name__}: {error}\n{self.report()}") from error
        finally:
            await self.stop()

    async def _news(self) -> None:
        """Wait until a server has passed a point that is no person's own act, or for a while."""
        end = time.monotonic() + LOOK_ANYWAY
        news = False
        while not news and time.monotonic() < end:
            await asyncio.sleep(LOOK_AGAIN)
            with (self.folder / "visits.txt").open(encoding="utf-8") as visits:
                visits.seek(self._read_to)
                news = any(PERSON not in line for line in visits.readlines())
                self._read_to = visits.tell()

    async def _round(self) -> bool:
        """One look of everybody; whether all is over."""
        try:
            await self._open()
            if await self._act():
                return self._process_ended()
        except (httpx.TransportError, NoAnswer, ServerDied):
            await self._close_people()
            if self._process is not None:
                # A broken call means that the server is dying; a slow one is alive still.
                try:
                    async with asyncio.timeout(10):
                        await self._process.wait()
                except TimeoutError:
                    return False
        return False

    async def _open(self) -> None:
        """Start the server where there is none; wait until it answers or has died on the way."""
        if self._process is not None and self._process.returncode is None:
            return
        if self._process is not None:
            if self._process.returncode != -signal.SIGKILL:
                raise StepFailed(f"the server left with {self._process.returncode} and nobody had killed it")
            await nothing_outlives(self._process.pid)
        await self._close_people()
        self._closed_since = None  # what a dead server had in hand begins anew
        self.lives += 1
        log = self.folder / "server.log"
        with log.open("a", encoding="utf-8") as file:
            file.write(f"--- life {self.lives}\n")
        self._process = ForkedProcess(chaos_server.serve, self.folder, log=log)
        address = await self._process.announced()
        if not address:
            await self._process.wait()
            raise ServerDied
        self._people = People(address, {one.login: one.password for one in organisation.accounts()})

    async def _act(self) -> bool:
        """Whoever is next does it; whether the case is closed."""
        watcher = await self._who(self.drafter)
        mine = await watcher.get("/api/applications", mine="true")
        if not mine:
            await self._apply(watcher)
            return False
        if len(mine) > 1:
            raise StepFailed("one person applied once and has two applications")
        self.stands = mine[0]
        self.application_id = self.stands["id"]
        state, detail = self.stands["state"], self.stands["stateDetail"]
        if self.withdraw_at is not None and state == "retrieval" and self.withdraw_at(self.stands):
            await watcher.post(f"/api/applications/{self.application_id}/withdraw", {"reason": "不再需要。"})
        elif state == "awaiting-receipt":
            await self._accept()
        elif state == "in-use":
            await self._use()
        elif state in ("approval", "retrieval", "return-inspection"):
            await self._decide(detail or ("return-inspection" if state == "return-inspection" else ""))
        return state == "closed" and await self._over()

    async def _over(self) -> bool:
        """Do what is next when the case is closed; whether nothing is left to do."""
        return True

    async def _apply(self, drafter: PortalUser) -> None:
        applied = await drafter.post("/api/applications", {**self.form(), "submit": True})
        self.answered.append((applied["id"], "applied", self.drafter))

    def form(self) -> dict[str, Any]:
        """What is applied for: footage of yesterday."""
        day = (self._now() - timedelta(days=1)).date()
        zone = ZoneInfo(organisation.ZONE)
        items = [
            {
                "cameraId": organisation.demo_id(channel),
                "start": datetime(day.year, day.month, day.day, *start, tzinfo=zone).isoformat(),
                "end": datetime(day.year, day.month, day.day, *end, tzinfo=zone).isoformat(),
                "zone": zone.key,
            }
            for channel, start, end in ITEMS
        ]
        return {
            "reason": "昨晚仓库北门附近发生叉车与货架碰撞，需要查明经过。",
            "purpose": "查明事故原因，作为事故报告的依据，并用于改进作业流程。",
            "purposeCategory": "accident",
            "legalBasis": "internal-management",
            "incidentReference": "SG-2026-0042",
            "wayOfUse": "download",
            "wayOfUseBecause": "须逐帧放大核对，在线查看不够。",
            "placeOfUse": "生产部二楼会议室",
            "requestedUseDays": 10,
            "custodianId": organisation.demo_id(self.custodian),
            "items": items,
        }

    async def _decide(self, stage: str) -> None:
        if stage not in self.deciders:
            return
        login, outcome, more = self.deciders[stage]
        if stage == "storage-release" and await self._confirm():
            return
        somebody = await self._who(login)
        for review in await somebody.get("/api/reviews"):
            if review["stage"] == stage and review["applicationId"] == self.application_id:
                await somebody.decide(review, outcome, **more)
                self.answered.append((review["id"], outcome, login))

    async def _confirm(self) -> bool:
        """The second person confirms what a first one has proposed."""
        second = await self._who("linlin")
        for review in await second.get("/api/reviews"):
            if review["toConfirm"]:
                whole = await second.get(f"/api/reviews/{review['id']}")
                await second.post(
                    f"/api/reviews/{review['id']}/confirm",
                    {"agrees": True, "formSha256": whole["formSha256"], "password": second.password},
                )
                self.answered.append((review["id"], "confirmed", "linlin"))
                return True
        return False

    async def _accept(self) -> None:
        custodian = await self._who(self.custodian)
        if not await custodian.get("/api/reviews"):
            return
        for hand_over in await custodian.get("/api/hand-overs"):
            await custodian.post(
                f"/api/hand-overs/{hand_over['id']}/accept",
                {
                    "conditionsVersion": hand_over["conditionsVersion"],
                    "formSha256": hand_over["formSha256"],
                    "password": custodian.password,
                },
            )
            self.answered.append((hand_over["id"], "accepted", self.custodian))

    async def _use(self) -> None:
        """View each copy, ask what there is to ask, let the time pass until the reminder, give them back."""
        custodian = await self._who(self.custodian)
        held = await custodian.get("/api/hand-overs")
        if not held:  # they were handed on just now
            return
        hand_over = held[0]
        path = f"/api/hand-overs/{hand_over['id']}"
        for copy in hand_over["copies"]:
            if copy["id"] not in self._viewed:
                viewing = await custodian.post(f"/api/copies/{copy['id']}/viewings", {"purposeConfirmed": True})
                got = await custodian.read(viewing["content"], 0, 99_999)
                if got.status_code != 206:
                    raise StepFailed(f"the custodian could not read the copy: {got.status_code} {got.text[:200]}")
                self._viewed.add(copy["id"])
        if self.before_return is not None and not self._looked_at_copies:
            await self.before_return(self.application_id)
            self._looked_at_copies = True
        if not await self._matters_ended():
            return
        if await self._used_up(custodian, hand_over):
            await custodian.post(
                f"{path}/return",
                {"returnTo": "storage", "downloads": [], "noOtherCopies": True, "password": custodian.password},
            )
            self.answered.append((hand_over["id"], "returned", self.custodian))

    async def _matters_ended(self) -> bool:
        """Do what is next about the loan besides its use; whether nothing is left to do."""
        return True

    async def _used_up(self, custodian: PortalUser, hand_over: dict[str, Any]) -> bool:
        """Whether the custodian was reminded; the time until then is let pass."""
        almost_due = datetime.fromisoformat(hand_over["dueAt"]) - timedelta(days=3)
        wait = almost_due - self._now()
        if wait > timedelta():
            seconds = int(wait.total_seconds()) + 60
            await (await self._who("luoxin")).post("/api/demo/clock", {"seconds": seconds})
            return False
        log = await custodian.get(f"/api/hand-overs/{hand_over['id']}/custody-log")
        return any(entry["event"] == "reminded" for entry in log["entries"])

    def _now(self) -> datetime:
        return TurnedClock(self.folder / "data" / "clock.json").now()

    async def _who(self, login: str) -> PortalUser:
        if self._people is None:
            raise ServerDied
        return await self._people(login)

    def _process_ended(self) -> bool:
        """Whether the engine has put the end of the case's process on the disk.

        A kill from another thread may come between the commit and its mark; after a while the look into the engine's
        own file, when the server has stopped, has to do.
        """
        self._closed_since = self._closed_since or time.monotonic()
        return (
            any(point.startswith(self.ended) for point in self.visits) or time.monotonic() > self._closed_since + ENOUGH
        )

    async def _end_in_order(self) -> None:
        """A server that a point kills at the very end begins once more: what it had in hand lies there until then."""
        while await self.stop():
            with suppress(ServerDied):
                await self._open()

    async def stop(self) -> bool:
        """End the server as an operator does; whether a point has killed it, even then."""
        await self._close_people()
        process, self._process = self._process, None
        if process is None:
            return False
        if process.returncode is None:
            process.terminate()
            try:
                async with asyncio.timeout(20):
                    await process.wait()
            except TimeoutError:
                process.kill()
                await process.wait()
                raise
        await nothing_outlives(process.pid)
        return process.returncode == -signal.SIGKILL

    async def _close_people(self) -> None:
        people, self._people = self._people, None
        if people is not None:
            await people.__aexit__(None, None, None)

    @property
    def struck(self) -> list[str]:
        """The points at which the server was killed, in the order in which it was."""
        return (self.folder / "struck.txt").read_text(encoding="utf-8").splitlines()

    @property
    def visits(self) -> list[str]:
        """The points that were passed."""
        return (self.folder / "visits.txt").read_text(encoding="utf-8").splitlines()

    def report(self) -> str:
        """Where everything stands, for the failure of a test."""

        def tail(name: str, lines: int) -> str:
            path = self.folder / name
            return "\n".join(path.read_text(encoding="utf-8").splitlines()[-lines:]) if path.exists() else "(none)"

        return "\n".join(
            (
                f"the case: {self.stands or 'not there'} after {self.lives} lives",
                f"struck:\n{tail('struck.txt', 50)}",
                f"answered: {self.answered}",
                f"last points passed:\n{tail('visits.txt', 12)}",
                f"last lines of the server:\n{tail('server.log', 25)}",
            )
        )


async def nothing_outlives(session: int) -> None:
    """Every process of a dead server ends by itself, soon."""
    end = time.monotonic() + 10
    while left := _of_session(session):
        if time.monotonic() > end:
            for pid in left:
                os.kill(pid, signal.SIGKILL)
            raise StepFailed(f"the server is dead and {len(left)} of its processes live on")
        await asyncio.sleep(LOOK_AGAIN)


def _of_session(session: int) -> list[int]:
    """The living processes of a session."""
    left = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(fields[3]) == session and fields[0] != "Z":
                left.append(int(entry.name))
    return left
