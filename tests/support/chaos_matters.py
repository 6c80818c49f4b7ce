"""A loan about which something is asked, reported and found, on a server that dies under everybody's hands."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from chaos_driver import Run

# By kind of matter, in the order in which they come: who asks, and what.
ASKED: dict[str, tuple[str, dict[str, Any]]] = {
    "extension": ("liuyang", {"reason": "原用途尚未完成。"}),
    "problem": ("liuyang", {"reason": "缺口处没有录像。", "problem": "gap"}),
    "violation": ("sunli", {"reason": "副本在会议室的屏幕上放过。", "violationKind": "finding"}),
}
# By stage: how it is decided.
ANSWERS: dict[str, tuple[str, dict[str, Any]]] = {
    "extension": ("approved", {}),
    "management": ("approved", {"opinion": "同意延期。"}),
    "problem": ("explained", {"reason": "缺口在调取记录中已经写明。"}),
    "violation-security": (
        "upheld",
        {"reason": "经核实。", "judgement": {"sanctions": [{"kind": "warning"}], "loss": False, "referral": False}},
    ),
}
DECIDERS = ("wulei", "zhengjie", "zhaoqiang", "zhoumin", "gaofeng", "songtao", "lianghong")


@dataclass
class MattersRun(Run):
    """The copies are given back when every matter of the loan has come to its end."""

    async def _matters_ended(self) -> bool:
        custodian = await self._who("liuyang")
        loan = (await custodian.get("/api/hand-overs"))[0]
        listed = (await custodian.get("/api/matters"))["matters"]
        by_kind = {matter["kind"]: matter for matter in listed}
        if len(by_kind) < len(listed):
            raise AssertionError(f"something was asked twice: {[matter['number'] for matter in listed]}")
        for kind, (login, asked) in ASKED.items():
            if kind not in by_kind:
                more = {"dueAt": _later(loan)} if kind == "extension" else {}
                await self._ask(login, kind, {**asked, **more})
                return False
            if by_kind[kind]["state"] == "open":
                await self._answer(by_kind[kind])
                return False
        return True

    async def _ask(self, login: str, kind: str, asked: dict[str, Any]) -> None:
        body = {"kind": kind, "applicationId": self.application_id, "asked": asked}
        await (await self._who(login)).post("/api/matters", body)

    async def _answer(self, matter: dict[str, Any]) -> None:
        """The accused reply; then whoever is asked decides."""
        custodian = await self._who("liuyang")
        path = f"/api/matters/{matter['id']}"
        if matter["kind"] == "violation" and (await custodian.get(path))["violation"]["mayReply"]:
            await custodian.post(f"{path}/reply", {"text": "只放了一次，以后不会。"})
            return
        for login in DECIDERS:
            decider = await self._who(login)
            for review in await decider.get("/api/reviews"):
                if review["matter"] and review["matter"]["id"] == matter["id"]:
                    outcome, more = ANSWERS[review["stage"]]
                    await decider.decide(review, outcome, **more)
                    self.answered.append((review["id"], outcome, login))
                    return


def _later(loan: dict[str, Any]) -> str:
    return (datetime.fromisoformat(loan["dueAt"]) + timedelta(days=5)).isoformat()
