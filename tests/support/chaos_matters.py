"""A loan about which something is asked, reported and found, on a server that dies under everybody's hands.

There are courses of matters: one division of seeds plays each, so that a sample of one seed plays one, as ever.
"""

import sqlite3
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import chaos_acts as acts
import chaos_truth
from chaos_beginnings import APPLIED, CLOSED, IN_USE, Beginning, begin
from chaos_driver import Run
from chaos_plan import Share
from chaos_server import settings

from services.app.container import Container
from services.demo.organisation import demo_id
from services.demo.people import StepFailed

HOLDER = "lina"  # to whom the copies are handed on
Asked = Mapping[str, tuple[str, dict[str, Any]]]
Act = Callable[["MattersRun"], Awaitable[bool]]
LENT = Beginning(IN_USE)
ENDED_OF = "after engine PROCESS_INSTANCE ELEMENT_COMPLETED"


@dataclass(frozen=True)
class Course:
    """What is asked about one loan.

    ``asked``: by kind of matter, in the order in which they come, who asks, and what. ``ends``: as what they are
    closed. ``stages``: of the reviews that they ask for. ``reader``: who sees all of them. ``reminders``: how many of
    the return. ``downloads``: a copy is downloaded, and accounted for after the loan by a work order. ``early``: who
    calls the footage urgently and sees it before its approval. ``begins``: where the case stands when it is asked, and
    who plays its parts. ``besides`` is done while the loan runs, ``after`` when the case is closed. ``closed_as``: how
    the case ends; ``issues``: how many times the footage was handed over.
    """

    asked: Asked
    ends: Mapping[str, str]
    stages: tuple[str, ...]
    reader: str = "zhangwei"
    reminders: int = 1
    downloads: bool = False
    early: str | None = None
    begins: Beginning = LENT
    besides: tuple[Act, ...] = ()
    after: tuple[Act, ...] = ()
    closed_as: str = "footage-re-archived"
    issues: int = 1
    ended: str = "video-retrieval"
    checks: tuple[Callable[[Container, str], list[str]], ...] = ()

    def wrong(self, container: Container, run: Run) -> list[str]:
        """What is wrong after a run."""
        case = run.application_id
        ends = chaos_truth.Ends(
            closed_as=self.closed_as,
            drafter=run.drafter,
            stages=self.begins.stages,
            more_stages=self.stages,
            reminders=self.reminders,
            issues=self.issues,
        )
        disposed = "disposal" in self.ends
        look = chaos_truth.disposed if disposed else chaos_truth.archived
        wrong = look(container, case, run.answered, ends)
        wrong += chaos_truth.matters_ended(container, case, self.ends)
        if self.downloads:
            wrong += chaos_truth.downloads_accounted(container, case)
        for check in self.checks:
            wrong += check(container, case)
        return wrong

    def __str__(self) -> str:
        return "-".join(self.ends) or self.after[0].__name__


RECIPE = {
    "mode": "keep-one",
    "picture": {"width": 640, "height": 360},
    "regions": [
        {"start": 0, "end": 100_000, "keyframes": [{"at": 0, "x": 100, "y": 100, "width": 200, "height": 160}]}
    ],
}
DISCLOSED = {
    "opensWith": "archiver",
    "endsLoan": True,
    "notOriginalBecause": "录像机须继续录像。",
    "reason": "依函提供。",
}
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
    Course({}, {"urgent": "ratified"}, ("urgent-release",), early="wangfang", begins=Beginning(APPLIED)),
    Course(
        {
            "violation": ("sunli", {"reason": "片段出现在外部群聊。", "violationKind": "leak"}),
            "appeal": ("liuyang", {"reason": "处理过重。"}),
        },
        {"violation": "settled", "appeal": "refused"},
        ("violation-management", "legal-sanction", "referral", "violation-appeal"),
        reader="liuyang",
    ),
    Course(
        {"problem": ("liuyang", {"reason": "画面是停车场。", "problem": "wrong-camera"})},
        {"problem": "answered"},
        ("problem", "storage-release", "partial-footage", "receipt"),
        reader="liuyang",
        issues=2,
    ),
    Course(
        {
            "redaction": ("liuyang", {"reason": "被拍摄人申请复制。", "recipe": RECIPE}),
            "hold": ("wulei", {"reason": "诉讼。", "cause": "manual"}),
            "lift-hold": ("zhoumin", {"reason": "诉讼已结。"}),
        },
        {"redaction": "applied", "hold": "applied", "lift-hold": "applied"},
        ("redaction-check", "legal", "legal", "security-signature"),
        reader="wulei",
        after=(acts.redacted_deleted,),
    ),
    Course(
        {"disclosure": ("machao", DISCLOSED)},
        {"disclosure": "applied"},
        ("security", "legal", "security-signature", "management"),
        reader="machao",
        reminders=0,
        begins=Beginning(IN_USE, police=True),
        besides=(acts.handed_out,),
        closed_as="footage-provided",
    ),
    Course({}, {}, (), begins=Beginning(CLOSED), after=(acts.fetched_and_deleted,)),
    Course(
        {},
        {},
        (),
        begins=Beginning(CLOSED, later=timedelta(days=40)),
        after=(acts.inspected,),
        ended="inspection",
        checks=(chaos_truth.inspected,),
    ),
    Course(
        {},
        {"disposal": "applied"},
        ("disposal", "disposal-confirm"),
        reader="zhaoqiang",
        begins=Beginning(CLOSED, later=timedelta(days=740)),
        after=(acts.deleted,),
        ended="matter",
    ),
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
    "violation-management": (
        "upheld",
        {
            "reason": "经核实。",
            "opinion": "同意。",
            "judgement": {
                "sanctions": [{"kind": "reprimand"}, {"kind": "fine", "amount": "500"}],
                "loss": True,
                "lossAmount": "120.50",
                "referral": True,
            },
        },
    ),
    "legal-sanction": ("approved", {"opinion": "同意。"}),
    "referral": ("approved", {"opinion": "应当移送。", "judgement": {"authority": acts.AUTHORITY}}),
    "violation-appeal": ("rejected", {"reason": "事实清楚。"}),
    "legal": ("approved", {}),
    "redaction-check": ("approved", {}),
    "disposal": ("approved", {}),
    "disposal-confirm": ("approved", {}),
}
# Instead of these where that is asked of this kind of matter, in this course.
REPLACED = ("replace", {"reason": "画面不是批准的机位。"})
DECIDERS = (
    *("wulei", "zhengjie", "zhaoqiang", "zhoumin", "gaofeng", "songtao", "lianghong"),
    *("wangfang", HOLDER, "yangfan", "machao", "hutao", "linlin", "zhujun", "zhangwei"),
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
        for name, value in self.course.begins.people().items():
            setattr(self, name, value)
        self.ended = f"{ENDED_OF} {self.course.ended}#"
        if self.course.downloads:
            self.deciders["return-inspection"] = INSPECTOR

    async def to_the_end(self, share: Share | None) -> None:
        await begin(self, self.course.begins)
        await super().to_the_end(share)

    async def _over(self) -> bool:
        """What was asked of a case that is closed is decided, and what is done then is done."""
        if self.course.begins.state == CLOSED and not await self._all_ended():
            return False
        for act in self.course.after:
            if not await act(self):
                return False
        return True

    # ---- for acts

    async def who(self, login: str) -> Any:
        return await self._who(login)

    async def matters(self, kind: str) -> list[dict[str, Any]]:
        listed = (await (await self._who(self.course.reader)).get("/api/matters", kind=kind))["matters"]
        return list(listed)

    async def turn(self, by: timedelta) -> None:
        await (await self._who("luoxin")).post("/api/demo/clock", {"seconds": int(by.total_seconds()) + 1})

    async def turn_to(self, moment: datetime) -> None:
        """Let the time pass until then, where it has not."""
        wait = moment - self._now()
        if wait > timedelta():
            await self.turn(wait)

    def moment(self) -> str:
        return self._now().isoformat()

    def last_quarter(self) -> str:
        now = self._now()
        quarter = now.year * 4 + (now.month - 1) // 3 - 1
        return f"{quarter // 4}-Q{quarter % 4 + 1}"

    def value(self, query: str) -> Any:
        """What the database says, where the portal shows nobody that something is done."""
        path = settings(self.folder).database_address.removeprefix("sqlite:///")
        with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as connection:
            return connection.execute(query).fetchone()[0]

    def left(self, rows: str) -> int:
        return int(self.value(f"SELECT count(*) FROM {rows}"))  # noqa: S608 - our tables

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
        if not await self._all_ended():
            return False
        for act in self.course.besides:
            if not await act(self):
                return False
        # a loan that is recalled, or ends with the receipt of others, is given back by nobody
        return not self.course.downloads and not self.course.besides

    async def _all_ended(self) -> bool:
        """Ask for what was not asked for, and answer what is open, one after the other."""
        listed = (await (await self._who(self.course.reader)).get("/api/matters"))["matters"]
        by_kind = {matter["kind"]: matter for matter in listed}
        if len(by_kind) < len(listed):
            raise AssertionError(f"something was asked twice: {[matter['number'] for matter in listed]}")
        for kind in dict.fromkeys((*self.course.asked, *self.course.ends)):
            if kind == "urgent":  # it was called before the loan
                continue
            if kind not in by_kind:
                if kind in self.course.asked:  # or else by the system
                    await self._ask(kind, by_kind)
                return False
            if by_kind[kind]["state"] == "open":
                await self._answer(by_kind[kind])
                return False
        return True

    async def _ask(self, kind: str, known: Mapping[str, Any]) -> None:
        login, asked = self.course.asked[kind]
        person = await self._who(login)
        more: dict[str, Any] = {}
        if kind == "appeal":
            more = {"violationId": known["violation"]["id"]}
        if kind == "lift-hold":
            [hold] = (await person.get("/api/holds"))["holds"]
            more = {"holdId": hold["id"]}
        if kind == "redaction":
            more = {"copyId": (await person.get("/api/hand-overs"))[0]["copies"][0]["id"]}
        if kind == "disclosure":
            named = (await person.get(f"/api/applications/{self.application_id}/on-behalf"))["outsiders"]
            more = {"outsiderIds": [one["id"] for one in named]}
        if kind == "extension":
            more = {"dueAt": _later((await (await self._who(self.custodian)).get("/api/hand-overs"))[0])}
        body = {"kind": kind, "applicationId": self.application_id, "asked": {**asked, **more}}
        if kind == "custody-transfer":
            body["password"] = person.password
        await person.post("/api/matters", body)

    async def _answer(self, matter: dict[str, Any]) -> None:
        """The accused reply; then whoever is asked decides."""
        if matter["kind"] == "violation" and not await acts.defended(self, matter):
            return
        # who has released an urgent retrieval does not decide the application
        for login in ("zhengjie",) if matter["kind"] == "urgent" else DECIDERS:
            decider = await self._who(login)
            for review in await decider.get("/api/reviews"):
                if review["matter"] and review["matter"]["id"] == matter["id"]:
                    if review["stage"] == "redaction-check" and not await acts.watched(self, decider, matter):
                        return
                    outcome, more = REPLACED if self.course.issues > 1 else ANSWERS[review["stage"]]
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
