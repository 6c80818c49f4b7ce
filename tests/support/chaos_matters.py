"""A loan about which something is asked, reported and found, on a server that dies under everybody's hands.

There are courses of matters: one division of seeds plays each, so that a sample of one seed plays one, as ever.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from chaos_driver import Run
from chaos_plan import Share

from services.demo.organisation import demo_id
from services.demo.people import StepFailed

HOLDER = "chenjing"  # to whom the copies are handed on
Asked = Mapping[str, tuple[str, dict[str, Any]]]


@dataclass(frozen=True)
class Course:
    """What is asked about one loan.

    ``asked``: by kind of matter, in the order in which they come, who asks, and what. ``ends``: as what they are
    closed. ``stages``: of the reviews that they ask for. ``reader``: who sees all of them. ``reminders``: how many of
    the return. ``downloads``: a copy is downloaded, and accounted for after the loan by a work order. ``early``: who
    calls the footage urgently and sees it before its approval.
    """

    asked: Asked
    ends: Mapping[str, str]
    stages: tuple[str, ...]
    reader: str = "zhangwei"
    reminders: int = 1
    downloads: bool = False
    early: str | None = None


COURSES = (
    Course(
        {
            "extension": ("liuyang", {"reason": "原用途尚未完成。"}),
            "problem": ("liuyang", {"reason": "缺口处没有录像。", "problem": "gap"}),
            "violation": ("sunli", {"reason": "副本在会议室的屏幕上放过。", "violationKind": "finding"}),
        },
        {"extension": "applied", "problem": "answered", "violation": "upheld"},
        ("extension", "management", "problem", "violation-security"),
        reader="liuyang",
    ),
    Course(
        {
            "custody-transfer": ("liuyang", {"reason": "保管人出差。", "toPersonId": demo_id(HOLDER)}),
            "purpose-change": ("zhangwei", {"reason": "还须培训。", "purpose": "用于安全培训", "wayOfUse": "view"}),
        },
        {"custody-transfer": "applied", "purpose-change": "applied"},
        ("custody-receipt", "preliminary", "security", "security-signature", "management"),
    ),
    Course(
        {"recall": ("sunli", {"reason": "副本被用于其他用途。", "ground": "misuse"})},
        {"recall": "applied"},
        ("recall",),
        reminders=0,
        downloads=True,
    ),
    Course({}, {"urgent": "ratified"}, ("urgent-release",), early="wangfang"),
)
URGENT = {"ground": "missing-person", "reason": "一名儿童在北门走失。"}
# By stage: how it is decided.
ANSWERS: dict[str, tuple[str, dict[str, Any]]] = {
    "extension": ("approved", {}),
    "management": ("approved", {"opinion": "同意。"}),
    "problem": ("explained", {"reason": "缺口在调取记录中已经写明。"}),
    "violation-security": (
        "upheld",
        {"reason": "经核实。", "judgement": {"sanctions": [{"kind": "warning"}], "loss": False, "referral": False}},
    ),
    "custody-receipt": ("accepted", {}),
    "preliminary": ("approved", {}),
    "security": ("approved", {}),
    "security-signature": ("signed", {}),
    "recall": ("signed", {}),
    "urgent-release": ("approved", {}),
}
DECIDERS = (
    *("wulei", "zhengjie", "zhaoqiang", "zhoumin", "gaofeng", "songtao", "lianghong"),
    *("wangfang", HOLDER),
)
# Copies that are recalled are inspected by Security.
INSPECTOR = ("machao", "in-order", {})


def course_of(share: Share | None) -> Course:
    """Return the course that the division of a share plays; the first one where nobody is disturbed."""
    return COURSES[0] if share is None else COURSES[(share.seed - 1) // share.shares % len(COURSES)]


@dataclass
class MattersRun(Run):
    """The copies are given back, or recalled, when every matter of the loan has come to its end."""

    course: Course = field(kw_only=True)

    def __post_init__(self) -> None:
        if self.course.downloads:
            self.deciders["return-inspection"] = INSPECTOR

    async def _use(self) -> None:
        if "custody-transfer" in self.course.asked and await (await self._who(HOLDER)).get("/api/hand-overs"):
            self.custodian = HOLDER
        await super()._use()

    async def _decide(self, stage: str) -> None:
        """Before a return is inspected by a person, the downloads of the loan are accounted for.

        Before an application that was called urgently is decided, its footage is seen.
        """
        if self.course.early is not None and stage == "preliminary" and not await self._seen_early(self.course.early):
            return
        if stage != "return-inspection" or not self.course.downloads or await self._accounted():
            await super()._decide(stage)

    async def _matters_ended(self) -> bool:
        if self.course.downloads and not await self._downloaded():
            return False
        listed = (await (await self._who(self.course.reader)).get("/api/matters"))["matters"]
        by_kind = {matter["kind"]: matter for matter in listed}
        if len(by_kind) < len(listed):
            raise AssertionError(f"something was asked twice: {[matter['number'] for matter in listed]}")
        for kind, (login, asked) in self.course.asked.items():
            if kind not in by_kind:
                await self._ask(login, kind, asked)
                return False
            if by_kind[kind]["state"] == "open":
                await self._answer(by_kind[kind])
                return False
        return not self.course.downloads  # a loan that is recalled is given back by nobody

    async def _ask(self, login: str, kind: str, asked: dict[str, Any]) -> None:
        person = await self._who(login)
        more: dict[str, Any] = {}
        if kind == "extension":
            more = {"dueAt": _later((await (await self._who(self.custodian)).get("/api/hand-overs"))[0])}
        body = {"kind": kind, "applicationId": self.application_id, "asked": {**asked, **more}}
        if kind == "custody-transfer":
            body["password"] = person.password
        await person.post("/api/matters", body)

    async def _answer(self, matter: dict[str, Any]) -> None:
        """The accused reply; then whoever is asked decides."""
        path = f"/api/matters/{matter['id']}"
        if matter["kind"] == "violation":
            accused = await self._who("liuyang")
            if (await accused.get(path))["violation"]["mayReply"]:
                await accused.post(f"{path}/reply", {"text": "只放了一次，以后不会。"})
                return
        # who has released an urgent retrieval does not decide the application
        for login in ("zhengjie",) if matter["kind"] == "urgent" else DECIDERS:
            decider = await self._who(login)
            for review in await decider.get("/api/reviews"):
                if review["matter"] and review["matter"]["id"] == matter["id"]:
                    outcome, more = ANSWERS[review["stage"]]
                    await decider.decide(review, outcome, **more)
                    self.answered.append((review["id"], outcome, login))
                    return

    async def _seen_early(self, login: str) -> bool:
        """Whether the footage was called urgently, released, and looked at by who has called it."""
        caller = await self._who(login)
        called = (await caller.get("/api/matters", kind="urgent"))["matters"]
        if not called:
            body = {**URGENT, "password": caller.password}
            await caller.post(f"/api/applications/{self.application_id}/urgent", body)
            return False
        [line] = called
        copies = (await caller.get(f"/api/matters/{line['id']}"))["emergencyCopies"]
        if not copies:
            await self._answer(line)
            return False
        for copy in copies:
            if copy["id"] not in self._viewed:
                viewing = await caller.post(f"/api/emergency-copies/{copy['id']}/viewings", {"purposeConfirmed": True})
                got = await caller.read(viewing["content"], 0, 99_999)
                if got.status_code != 206:
                    raise StepFailed(f"the caller could not read the copy: {got.status_code} {got.text[:200]}")
                self._viewed.add(copy["id"])
        return True

    async def _downloaded(self) -> bool:
        """Whether one copy is downloaded; it is asked for where it is not."""
        custodian = await self._who(self.custodian)
        [loan] = await custodian.get("/api/hand-overs")
        if loan["downloads"]:
            return True
        await custodian.post(f"/api/copies/{loan['copies'][0]['id']}/downloads", {"medium": "JZ-001"})
        return False

    async def _accounted(self) -> bool:
        """Whether the work order about the downloads is closed; the custodian does it, and Security verifies it."""
        custodian = await self._who(self.custodian)
        orders = (await custodian.get("/api/work-orders", kind="download-account"))["workOrders"]
        if not orders:
            return False
        [line] = orders
        path = f"/api/work-orders/{line['id']}"
        order = await custodian.get(path)
        if order["mayDo"]:
            given = [{"downloadId": one["id"], "fate": "given-back", "medium": "JZ-001"} for one in order["downloads"]]
            answers = {item["code"]: {"answer": "yes"} for item in order["checklist"]}
            signed = {"formSha256": order["factsSha256"], "password": custodian.password}
            await custodian.post(f"{path}/downloads", {**signed, "answers": answers, "downloads": given})
            return False
        verifier = await self._who("zhengjie")
        if (await verifier.get(path))["mayVerify"]:
            signed = {"formSha256": order["factsSha256"], "password": verifier.password}
            verdict = {"outcome": "verified", "answers": {"on-site": True, "met": True}}
            await verifier.post(f"{path}/verify", {**signed, **verdict})
            return False
        return bool(order["closedAt"])


def _later(loan: dict[str, Any]) -> str:
    return (datetime.fromisoformat(loan["dueAt"]) + timedelta(days=5)).isoformat()
