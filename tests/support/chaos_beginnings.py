"""Where the matters of a case begin: a case that is led there once, undisturbed, and copied for each seed.

Two thirds of the kills were of the main job before, which ``test_kill_points`` has.
"""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from chaos_driver import DECIDERS, Run
from chaos_truth import STAGES

from services.demo.people import PortalUser, StepFailed
from services.runtime.clock import TurnedClock

APPLIED, IN_USE, CLOSED = "approval", "in-use", "closed"
INSPECTED = "return-inspection"
LETTER = {"title": "调取证据通知书", "number": "沪公调证字12号", "sealChecked": True}
OFFICERS = (("李警官", "012345"), ("周警官", "067890"))
OF_POLICE: Mapping[str, tuple[str, str, dict[str, Any]]] = {
    **DECIDERS,
    "credentials": ("wulei", "approved", {}),
    "security": ("zhengjie", "approved", {"usePeriodDays": 10, "wayOfUse": "download"}),
    "partial-footage": ("zhengjie", *DECIDERS["partial-footage"][1:]),
}


@dataclass(frozen=True)
class Beginning:
    """``state``: of the case. ``later``: how much of time has passed since, before the first life of a server."""

    state: str
    police: bool = False
    later: timedelta = timedelta()

    @property
    def name(self) -> str:
        return f"{'police-' if self.police else ''}{self.state}"

    @property
    def stages(self) -> tuple[str, ...]:
        """Everybody who is asked in such a case but for its matters."""
        if not self.police:
            return STAGES
        return tuple("credentials" if stage == "preliminary" else stage for stage in STAGES if stage != INSPECTED)

    def people(self) -> dict[str, Any]:
        """Who applies, who keeps the copies, who decides."""
        if not self.police:
            return {}
        return {"drafter": "machao", "custodian": "machao", "deciders": dict(OF_POLICE)}


@dataclass
class Begun(Run):
    """A case up to where others begin."""

    at: Beginning = field(kw_only=True)

    async def _apply(self, drafter: PortalUser) -> None:
        if not self.at.police:
            await super()._apply(drafter)
            return
        day = (self._now() - timedelta(days=1)).date()
        draft = await drafter.post("/api/applications", {**self.form(), "submit": False})
        path = f"/api/applications/{draft['id']}"
        letter = {**LETTER, "date": day.isoformat()}
        answer = await drafter._send("PUT", f"{path}/on-behalf", json={"kind": "authority", "letter": letter})
        if answer.is_error:
            raise StepFailed(answer.text)
        for name, number in OFFICERS:
            card = {"cardKind": "police-card", "cardNumber": number, "contact": "021-5550100"}
            await drafter.post(f"{path}/outsiders", {"name": name, "unit": "市公安局", **card})
        await drafter.post(f"{path}/submit")
        self.answered.append((draft["id"], "applied", self.drafter))

    async def _use(self) -> None:
        if self.at.state != IN_USE:
            await super()._use()

    async def _act(self) -> bool:
        over = await super()._act()
        return over or self.stands.get("state") == self.at.state

    def _process_ended(self) -> bool:
        return self.at.state != CLOSED or super()._process_ended()


LAID_OUT: dict[str, Begun] = {}  # of this process of the tests, by name


async def begin(run: Run, at: Beginning) -> None:
    """Give the run a copy of a case that stands there."""
    if at.state == APPLIED:
        return
    begun = LAID_OUT.get(at.name)
    if begun is None:
        folder = run.folder.parent / f"{run.folder.name}-begun-{at.name}"
        folder.mkdir()
        begun = Begun(folder, at=at, **at.people())
        await begun.to_the_end(None)
        LAID_OUT[at.name] = begun
    # The socket leads into a folder of the server that is gone, where its path is too long for one.
    shutil.copytree(begun.folder / "data", run.folder / "data", ignore=shutil.ignore_patterns("gateway.socket"))
    run.answered, run.application_id = list(begun.answered), begun.application_id
    if at.later:
        turned = run.folder / "data" / "clock.json"
        TurnedClock(turned).turn(at.later)
        turned.chmod(0o600)


def forget(folder: Path) -> None:
    """Remove what a run has left; what others begin from stays."""
    shutil.rmtree(folder / "data")
