"""A dozen example cases at every stage, made by the demo's people through the API."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import cycle
from typing import Any
from zoneinfo import ZoneInfo

from services.demo import organisation
from services.demo.people import People, wait_for
from services.demo.steps import Case
from services.runtime.logs import get_logger

log = get_logger(__name__)

USE_DAYS = 10
# Long enough that the first loan is overdue, and short enough that its grace period is not over.
AHEAD = timedelta(days=USE_DAYS, hours=9)
# The time for each step, in turn; the sum stays below the time limit of the first open review.
PACE = tuple(timedelta(minutes=minutes) for minutes in (25, 50, 15, 70, 40))
# Ages in days of the recordings on the recorder; the oldest one is overwritten next.
RECORDED = (1, 12)


@dataclass(frozen=True)
class Plot:
    """What a case is about; ``cameras`` by channel, with seconds of the recordings of that evening."""

    drafter: str
    category: str
    reason: str
    purpose: str
    cameras: tuple[tuple[str, int, int], ...]
    way_of_use: str = "view"
    custodian: str = "liuyang"
    incident: str | None = None
    urgent: str | None = None


COLLISION = Plot(
    "lina",
    "accident",
    "昨晚二十二时许，仓库北门附近发生叉车与货架碰撞，需要查明经过。",
    "查明事故原因，作为事故报告的依据，并用于改进作业流程。",
    (("cam1", 0, 240),),
    way_of_use="download",
    incident="SG-2026-0042",
)
PARCEL = Plot(
    "lina",
    "security-incident",
    "三号门快递柜丢失一件包裹，当事人已报案，需要确认取件人。",
    "核对取件时间与取件人，配合治安部门处理。",
    (("cam1", 30, 180),),
    incident="AB-2026-0117",
)
HANDOVER = Plot(
    "lina",
    "operations",
    "夜班交接时清点数量不符，需要回看交接过程。",
    "核对交接清点过程，改进交接班制度。",
    (("cam1", 60, 200),),
)
DISPUTE = Plot(
    "zhangwei",
    "dispute",
    "装卸人员与承运司机就货损责任发生争执，双方陈述不一致。",
    "还原装卸过程，作为责任认定的依据。",
    (("cam1", 0, 150), ("cam2", 0, 75)),
    incident="JF-2026-0009",
)
NIGHT_DOOR = Plot(
    "lina",
    "security-incident",
    "成品仓库北门夜间未按规定关闭，门禁记录与值班记录不一致。",
    "确认开门时间和人员，排查安全隐患。",
    (("cam2", 0, 75),),
    urgent="门禁故障尚未排除，每晚仍有同样风险。",
)
TRAINING = Plot(
    "lina",
    "training",
    "上月装卸作业规范培训需要本车间的真实作业画面作为案例。",
    "制作内部培训案例，只在培训课上播放。",
    (("cam1", 0, 120),),
)
LOADING = Plot(
    "lina",
    "operations",
    "昨晚装车数量与出库单不一致，需要核对装车过程。",
    "核对装车数量，改进出库复核。",
    (("cam2", 5, 65),),
)
SAFETY_LINE = Plot(
    "chenjing",
    "operations",
    "行政部例行检查发现车间安全通道多次被占用，需要核实昨晚情况。",
    "核实占用时间和原因，督促整改。",
    (("cam1", 0, 200),),
    custodian="chenjing",
)


async def lay_out(address: str, passwords: dict[str, str], day: date) -> int:
    """Make the cases on the portal at ``address``, with the recordings of ``day``; return their number.

    Does nothing if there is a case already. Raises StepFailed.
    """
    async with People(address, passwords) as people:
        if await (await people("wulei")).get("/api/applications"):
            return 0
        scene = _Scene(people, day)
        acts = (
            scene.overdue,
            scene.re_archived,
            scene.in_use,
            scene.awaiting_receipt,
            scene.partial,
            scene.to_release,
            scene.for_management,
            scene.to_sign,
            scene.for_security,
            scene.for_the_department,
            scene.to_correct,
            scene.rejected,
            scene.draft,
        )
        for act in acts:
            await act()
        log.info("the demo's cases are made", cases=len(acts))
        return len(acts)


class _Scene:
    """Each method leads one case to one stage; the first one turns the clock, so that its loan is overdue."""

    def __init__(self, people: People, day: date) -> None:
        self._people = people
        self._day = day
        self._pace = cycle(PACE)

    async def overdue(self) -> None:
        case = await self._lent(COLLISION, way_of_use="download")
        hand_over = await self._accept(case)
        await case.view(hand_over)
        await self._turn(AHEAD)
        await case.reminded(hand_over)

    async def re_archived(self) -> None:
        case = await self._lent(HANDOVER)
        hand_over = await self._accept(case)
        await case.view(hand_over)
        await self._advance()
        await case.give_back(hand_over)
        await self._advance()
        await case.close()

    async def in_use(self) -> None:
        case = await self._lent(PARCEL)
        await case.view(await self._accept(case))

    async def awaiting_receipt(self) -> None:
        case = await self._lent(HANDOVER)

        async def offered() -> bool:
            return bool((await case.show())["state"] == "awaiting-receipt")

        await wait_for("the hand-over", offered)

    async def partial(self) -> None:
        case = await self._released(COLLISION)

        async def asked() -> bool:
            return bool((await case.show())["stateDetail"] == "partial-footage")

        await wait_for("the question about partial footage", asked)

    async def to_release(self) -> None:
        case = await self._signed(PARCEL)
        await case.review("hutao", "storage-release")

    async def for_management(self) -> None:
        case = await self._signed(NIGHT_DOOR)
        await case.review("gaofeng", "management")

    async def to_sign(self) -> None:
        case = await self._submitted(DISPUTE)
        await self._decide(case, "wangfang", "preliminary", "approved")
        await self._decide(case, "wulei", "security", "approved", usePeriodDays=7, wayOfUse="view")
        await case.review("zhaoqiang", "security-signature")

    async def for_security(self) -> None:
        case = await self._submitted(PARCEL)
        await self._decide(case, "zhangwei", "preliminary", "approved")
        await case.review("wulei", "security")

    async def for_the_department(self) -> None:
        case = await self._submitted(TRAINING)
        await case.review("zhangwei", "preliminary")

    async def to_correct(self) -> None:
        case = await self._submitted(SAFETY_LINE)
        await self._decide(case, "gaofeng", "preliminary", "returned", reason="请写明通道的具体位置，并缩短时间段。")

    async def rejected(self) -> None:
        case = await self._submitted(TRAINING)
        await self._decide(case, "zhangwei", "preliminary", "approved")
        reason = "培训用途可以用演练画面代替，调取他人画面没有必要。"
        await self._decide(case, "wulei", "security", "rejected", reason=reason)

    async def draft(self) -> None:
        drafter = await self._people("lina")
        await drafter.post("/api/applications", {**self._form(LOADING), "submit": False})

    async def _decide(self, case: Case, login: str, stage: str, outcome: str, **more: Any) -> None:
        """Wait for the review, advance the clock, and decide."""
        await case.review(login, stage)
        await self._advance()
        await case.decide(login, stage, outcome, **more)

    async def _advance(self) -> None:
        await self._turn(next(self._pace))

    async def _turn(self, ahead: timedelta) -> None:
        administrator = await self._people("luoxin")
        await administrator.post("/api/demo/clock", {"seconds": int(ahead.total_seconds())})

    async def _submitted(self, plot: Plot) -> Case:
        drafter = await self._people(plot.drafter)
        applied = await drafter.post("/api/applications", {**self._form(plot), "submit": True})
        return Case(self._people, lambda *_: None, applied["id"], applied["number"])

    async def _signed(self, plot: Plot, way_of_use: str = "view") -> Case:
        case = await self._submitted(plot)
        await self._decide(case, "zhangwei", "preliminary", "approved")
        await self._decide(case, "wulei", "security", "approved", usePeriodDays=USE_DAYS, wayOfUse=way_of_use)
        await self._decide(case, "zhaoqiang", "security-signature", "signed")
        return case

    async def _released(self, plot: Plot, way_of_use: str = "view") -> Case:
        case = await self._signed(plot, way_of_use)
        await self._decide(case, "hutao", "storage-release", "approved")
        return case

    async def _lent(self, plot: Plot, way_of_use: str = "view") -> Case:
        case = await self._released(plot, way_of_use)
        await case.retrieved()
        return case

    async def _accept(self, case: Case) -> dict[str, Any]:
        """Accept this case's copies as custodian."""
        custodian = await self._people("liuyang")
        offered = await wait_for("the hand-over", self._poll_offer(case))
        await self._advance()
        accepted: dict[str, Any] = await custodian.post(
            f"/api/hand-overs/{offered['id']}/accept",
            {
                "conditionsVersion": offered["conditionsVersion"],
                "formSha256": offered["formSha256"],
                "password": custodian.password,
            },
        )
        return accepted

    def _poll_offer(self, case: Case) -> Callable[[], Awaitable[Any]]:
        async def poll() -> Any:
            custodian = await self._people("liuyang")
            reviewed = [review["applicationId"] for review in await custodian.get("/api/reviews")]
            if case.application_id not in reviewed:
                return None
            offers = await custodian.get("/api/hand-overs")
            return next((offer for offer in offers if offer["number"] == case.number), None)

        return poll

    def _form(self, plot: Plot) -> dict[str, Any]:
        start = datetime(self._day.year, self._day.month, self._day.day, 22, 46, 30, tzinfo=ZoneInfo(organisation.ZONE))
        return {
            "reason": plot.reason,
            "purpose": plot.purpose,
            "purposeCategory": plot.category,
            "legalBasis": "internal-management",
            "incidentReference": plot.incident,
            "wayOfUse": plot.way_of_use,
            "placeOfUse": "安全保卫部二楼查看室",
            "requestedUseDays": USE_DAYS,
            "custodianId": organisation.demo_id(plot.custodian),
            "recipientIds": [organisation.demo_id("zhangwei")],
            "urgentBecause": plot.urgent,
            "items": [
                {
                    "cameraId": organisation.demo_id(channel),
                    "start": (start + timedelta(seconds=begin)).isoformat(),
                    "end": (start + timedelta(seconds=end)).isoformat(),
                    "zone": organisation.ZONE,
                }
                for channel, begin, end in plot.cameras
            ],
        }
