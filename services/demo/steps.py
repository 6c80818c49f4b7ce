"""The steps of one application through the API, from the form to the archive."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, TypeAlias
from zoneinfo import ZoneInfo

from services.demo import organisation
from services.demo.people import People, wait_for
from services.domain.cases import waiting

# In the sample recordings camera 1 has a gap of 21 s in this span, and camera 2 none.
ITEMS = (("cam1", (22, 46, 30), (22, 50, 30)), ("cam2", (22, 46, 30), (22, 47, 45)))
STAGES = {
    "preliminary": "部门初审 preliminary review",
    "security": "安全审核 security review",
    "security-signature": "安全保卫签字 sign-off",
    "management": "管理层审批 management decision",
    "storage-release": "存储放行 release",
    "partial-footage": "部分录像确认 partial footage",
    "return-inspection": "归还检查 return inspection",
}
WORK = {
    **STAGES,
    "receipt": "签收 receipt",
    waiting.CORRECTION: "补正 correction",
    waiting.OVERDUE: "逾期未还 overdue loan",
    waiting.STUCK: "停住的步骤 stopped step",
}
NAMES = {member.login: member.name for member in organisation.PEOPLE}
SYSTEM = "system"

Report: TypeAlias = Callable[[str, str, str], None]
"""Called with the step's name, the person's name, and the result."""


@dataclass
class Case:
    """One application, and the people who act on it. Every method raises StepFailed if its step fails."""

    people: People
    report: Report
    application_id: str = ""
    number: str = ""
    custodian: str = "liuyang"

    async def apply(self, day: date) -> None:
        """Draft and submit the form for ``day``, the date of the recordings."""
        drafter = await self.people("lina")
        items, zone = [], ZoneInfo(organisation.ZONE)
        for channel, start, end in ITEMS:
            span = {
                "cameraId": organisation.demo_id(channel),
                "start": datetime(day.year, day.month, day.day, *start, tzinfo=zone).isoformat(),
                "end": datetime(day.year, day.month, day.day, *end, tzinfo=zone).isoformat(),
            }
            coverage = await drafter.get("/api/coverage", **span)
            items.append({**span, "zone": zone.key})
            self._report(
                "预查 coverage", "lina", f"the recorder holds {coverage['share']:.1%} of the span of {channel}"
            )
        applied = await drafter.post("/api/applications", _form(items))
        self.application_id, self.number = applied["id"], applied["number"]
        self._report("申请 application", "lina", f"{self.number} submitted with {len(items)} items")

    async def approve(self) -> None:
        """Take the preliminary and security review, the sign-off, and the management decision."""
        await self.decide("zhangwei", "preliminary", "approved")
        await self.decide("wulei", "security", "approved", usePeriodDays=10, wayOfUse="download")
        await self.decide("zhaoqiang", "security-signature", "signed")
        opinion = "涉及敏感区域摄像头，同意调取，仅限事故调查使用。"
        await self.decide("gaofeng", "management", "approved", opinion=opinion)

    async def release(self) -> None:
        """Release the footage, confirmed by a second person of the storage department."""
        await self.decide("hutao", "storage-release", "approved")
        second = await self.people("linlin")
        review = await self.review("linlin", "storage-release")
        details = await second.get(f"/api/reviews/{review['id']}")
        await second.post(
            f"/api/reviews/{review['id']}/confirm",
            {"agrees": True, "formSha256": details["formSha256"], "password": second.password},
        )
        self._report(STAGES["storage-release"], "linlin", "confirmed as the second person")

    async def items(self) -> list[dict[str, Any]]:
        """Return the current items."""
        items: list[dict[str, Any]] = (await self.show())["items"]
        return items

    async def retrieved(self, watch: Callable[[Sequence[dict[str, Any]]], None] = lambda _: None) -> None:
        """Wait until every item has its outcome, calling ``watch`` on each poll; accept partial footage."""

        async def all_there() -> list[dict[str, Any]] | None:
            items = await self.items()
            watch(items)
            return items if all(item["outcome"] for item in items) else None

        items = await wait_for("the footage", all_there)
        for item in items:
            result = f"item {item['position']} is {item['outcome']}, {item['coverage']:.1%} of it is covered"
            self._report("调取 retrieval", SYSTEM, result)
        if any(item["outcome"] == "partial" for item in items):
            reason = "缺口处没有录像，其余部分足以查明经过。"
            await self.decide("wulei", "partial-footage", "approved", reason=reason)

    async def accept(self) -> dict[str, Any]:
        """Accept the copies as custodian; return the accepted hand-over."""
        custodian = await self.people(self.custodian)

        async def offered() -> Any:
            return await custodian.get("/api/reviews") and await custodian.get("/api/hand-overs")

        hand_over = (await wait_for("the hand-over", offered))[0]
        accepted: dict[str, Any] = await custodian.post(
            f"/api/hand-overs/{hand_over['id']}/accept",
            {
                "conditionsVersion": hand_over["conditionsVersion"],
                "formSha256": hand_over["formSha256"],
                "password": custodian.password,
            },
        )
        self._report("签收 receipt", self.custodian, f"accepted, due back on {accepted['dueAt'][:10]}")
        return accepted

    async def view(self, hand_over: dict[str, Any]) -> None:
        """View the middle of each copy as custodian."""
        custodian = await self.people(self.custodian)
        for copy in hand_over["copies"]:
            viewing = await custodian.post(f"/api/copies/{copy['id']}/viewings", {"purposeConfirmed": True})
            middle = viewing["size"] // 2
            response = await custodian.read(viewing["content"], middle, middle + 99_999)
            result = f"read {len(response.content):,} bytes in the middle of the sealed copy of {copy['cameraZh']}"
            self._report("查看 viewing", self.custodian, result)

    async def reminded(self, hand_over: dict[str, Any]) -> None:
        """Wait until the custody log has the reminder."""
        custodian = await self.people(self.custodian)

        async def is_reminded() -> bool:
            log = await custodian.get(f"/api/hand-overs/{hand_over['id']}/custody-log")
            return any(entry["event"] == "reminded" for entry in log["entries"])

        await wait_for("the reminder", is_reminded)
        self._report("提醒 reminder", SYSTEM, "the custodian is reminded three days before the due date")

    async def give_back(self, hand_over: dict[str, Any]) -> None:
        """Return the copies to the storage office as custodian."""
        custodian = await self.people(self.custodian)
        path = f"/api/hand-overs/{hand_over['id']}"
        downloads = (await custodian.get(path))["downloads"]
        await custodian.post(
            f"{path}/return",
            {
                "returnTo": "storage",
                "downloads": [{"downloadId": row["id"], "fate": "destroyed"} for row in downloads],
                "noOtherCopies": True,
                "password": custodian.password,
            },
        )
        self._report("归还 return", self.custodian, "returned to the storage office, attested that nothing was kept")

    async def close(self) -> dict[str, Any]:
        """Inspect the return and wait for the archive; return the closed case."""
        await self.decide("guotao", "return-inspection", "in-order")

        async def closed() -> dict[str, Any] | None:
            case = await self.show()
            return case if case["state"] == "closed" else None

        case: dict[str, Any] = await wait_for("the archive", closed)
        self._report("重新存档 re-archive", SYSTEM, f"the case is closed as {case['stateDetail']}")
        return case

    async def show(self) -> dict[str, Any]:
        """Return the case as the security reviewer sees it."""
        case: dict[str, Any] = await (await self.people("wulei")).get(f"/api/cases/{self.application_id}")
        return case

    async def decide(self, login: str, stage: str, outcome: str, **more: Any) -> None:
        """Wait for the open review and sign ``outcome`` over the form's hash."""
        await self.sign(await self.review(login, stage), login, outcome, **more)

    async def sign(self, review: dict[str, Any], login: str, outcome: str, **more: Any) -> None:
        """Sign ``outcome`` of an open review over the form's hash."""
        decided = await (await self.people(login)).decide(review, outcome, **more)
        waits = "" if decided["published"] else "; a second person has to confirm"
        self._report(STAGES[review["stage"]], login, f"{outcome.replace('-', ' ')}{waits}")

    async def review(self, login: str, stage: str) -> dict[str, Any]:
        """Wait for the person's open review of this case and return it."""
        user = await self.people(login)

        async def mine() -> dict[str, Any] | None:
            reviews = await user.get("/api/reviews")
            key = (stage, self.application_id)
            return next((review for review in reviews if (review["stage"], review["applicationId"]) == key), None)

        review: dict[str, Any] = await wait_for(f"the review {stage} for {login}", mine)
        return review

    def _report(self, step: str, login: str, what: str) -> None:
        self.report(step, NAMES.get(login, login), what)


def _form(items: Sequence[dict[str, str]]) -> dict[str, Any]:
    return {
        "title": "北门叉车碰撞货架",
        "reason": "昨晚二十二时许，仓库北门附近发生叉车与货架碰撞，需要查明经过。",
        "purpose": "查明事故原因，作为事故报告的依据，并用于改进作业流程。",
        "purposeCategory": "accident",
        "legalBasis": "internal-management",
        "incidentReference": "SG-2026-0042",
        "wayOfUse": "download",
        "wayOfUseBecause": "须在事故分析会上逐帧回放，在线查看不够。",
        "placeOfUse": "生产部二楼会议室",
        "requestedUseDays": 10,
        "custodianId": organisation.demo_id("liuyang"),
        "recipientIds": [organisation.demo_id("zhangwei")],
        "items": items,
        "submit": True,
    }
