"""What people do in matters besides asking and deciding: each looks where things stand, and does what is next.

An act says whether it is over.
"""

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from services.demo.organisation import demo_id
from services.demo.people import PortalUser, StepFailed

if TYPE_CHECKING:
    from chaos_matters import MattersRun

ASKS, APPROVES = "wulei", "yangfan"  # of Security and of Legal
AUTHORITY = "三号区公安分局"
LEADER, MEMBERS = "heping", ("sunli", "hanxue")
LONGEST_MS = 40_000  # that a player reports at once


async def packaged(run: "MattersRun", footage: str = "clear") -> dict[str, Any] | None:
    """The evidence package of the case, once it is asked for, approved and made."""
    asker = await run.who(ASKS)
    lines = (await asker.get("/api/packages"))["packages"]
    if not lines:
        asked = {"number": run.stands["number"], "footage": footage, "recipientKind": "inside", "recipient": "法务部"}
        await asker.post("/api/packages", {**asked, "reason": "供调查使用。"})
        return None
    if len(lines) > 1:
        raise StepFailed("one package was asked for, and there are two")
    [line] = lines
    if line["state"] == "asked":
        second = await run.who(APPROVES)
        signed = {"password": second.password, "outcome": "approved"}
        await second.post(f"/api/packages/{line['id']}/approval", signed)
        return None
    package: dict[str, Any] = await asker.get(f"/api/packages/{line['id']}")
    if package["state"] in ("failed", "refused", "lapsed"):
        raise StepFailed(f"the package is {package['state']}: {package['failedBecause']}")
    return None if package["state"] == "queued" else package


async def fetched_and_deleted(run: "MattersRun") -> bool:
    """Have the package made, fetch it whole, and let its time pass until it is deleted."""
    package = await packaged(run)
    if package is None:
        return False
    asker = await run.who(ASKS)
    if package["state"] == "made":
        if not any(fetch["finishedAt"] for fetch in package["fetches"]):
            fetch = await asker.post(f"/api/packages/{package['id']}/fetches")
            whole = await asker.get_bytes(fetch["content"])
            if len(whole) != package["size"]:
                raise StepFailed(f"a package of {package['size']} bytes came with {len(whole)}")
            return False
        await run.turn_to(datetime.fromisoformat(package["expiresAt"]) + timedelta(minutes=1))
        return False
    return run.left("evidence_packages WHERE discarded_at IS NULL") == 0


async def deleted(run: "MattersRun") -> bool:
    """Wait until what was to be destroyed is, and its list is written."""
    written = run.left("documents WHERE number LIKE 'XH-%'")
    if written == 0 or run.left("disposal_items WHERE state IN ('listed', 'due')"):
        return False
    # a decision that went out once more, after a kill, is settled when the relay looks at it next
    next_look = run.value("SELECT max(next_at) FROM outbox WHERE settled_at IS NULL")
    if next_look is not None:
        await run.turn_to(datetime.fromisoformat(next_look).replace(tzinfo=UTC) + timedelta(seconds=1))
    return next_look is None


async def redacted_deleted(run: "MattersRun") -> bool:
    """Let the time of the redacted copy pass until it is deleted."""
    ends = run.value("SELECT max(retain_until) FROM derivatives WHERE discarded_at IS NULL")
    if ends is None:
        return True
    await run.turn_to(datetime.fromisoformat(ends).replace(tzinfo=UTC) + timedelta(minutes=1))
    return False


async def watched(run: "MattersRun", checker: PortalUser, matter: dict[str, Any]) -> bool:
    """Watch the redacted copy whole, as far as it is made."""
    view = (await checker.get(f"/api/matters/{matter['id']}"))["redactedCopy"]
    if view is None or view["state"] == "queued":
        return False
    if view["state"] == "failed":
        raise StepFailed(f"the redacted copy could not be made: {view['failedBecause']}")
    if not view["unwatched"]:
        return True
    path = f"/api/derivatives/{view['id']}/viewings"
    viewing = await checker.post(path, {"purposeConfirmed": True})
    got = await checker.read(viewing["content"], 0, viewing["size"] - 1)
    if got.status_code != 206:
        raise StepFailed(f"the redacted copy could not be read: {got.status_code} {got.text[:200]}")
    stretch = view["unwatched"][0]
    length = min(stretch["endMs"] - stretch["startMs"], LONGEST_MS)
    await run.turn(timedelta(milliseconds=length))
    await checker.post(f"{path}/{viewing['id']}/played", {"startMs": stretch["startMs"], "lengthMs": length})
    return False


async def handed_out(run: "MattersRun") -> bool:
    """Fetch what the disclosure allows, each file once, and record who has signed for it."""
    [matter] = await run.matters("disclosure")
    office = await run.who(ASKS)
    path = f"/api/disclosures/{matter['id']}"
    allowed = await office.get(path)
    if allowed["receivedAt"] is not None:
        return True
    had = {one["copyId"] for one in allowed["fetched"] if one["finishedAt"] is not None}
    for file in allowed["files"]:
        if file["copyId"] not in had:
            listed = await office.post(f"{path}/files/{file['copyId']}")
            await office.get_bytes(listed["content"])
            return False
    await office.post(f"{path}/receipt", {"outsiderIds": [one["id"] for one in allowed["people"]]})
    return True


async def defended(run: "MattersRun", matter: dict[str, Any]) -> bool:
    """The accused reply; who handles it hands the evidence over, and records that the loss is made good."""
    path = f"/api/matters/{matter['id']}"
    accused = await run.who("liuyang")
    violation = (await accused.get(path))["violation"]
    if violation["mayReply"]:
        await accused.post(f"{path}/reply", {"text": "只放了一次，以后不会。"})
        return False
    if violation["awaits"] is None:
        return True
    handler = await run.who(APPROVES)
    may = (await handler.get(path))["violation"]
    if may["mayRefer"]:
        package = await packaged(run, "hash")
        if package is not None:
            handed = {"authority": AUTHORITY, "handedAt": run.moment(), "receipt": "公刑受 88 号"}
            await handler.post(f"{path}/referral", {**handed, "packageSha256": package["sha256"]})
    elif may["maySettle"]:
        await handler.post(f"{path}/settlement", {"account": "已赔偿。", "amount": "120.50"})
    return not (may["mayRefer"] or may["maySettle"])


async def inspected(run: "MattersRun") -> bool:
    """Appoint the group, inspect the sample of the quarter, sign the report; whether the inspection is over."""
    leader = await run.who(LEADER)
    group = await (await run.who("gaofeng")).get("/api/supervision-group")
    if group["current"] is None:
        await _appoint(run, group)
        return False
    lines = await leader.get("/api/inspections")
    if not lines:
        with suppress(StepFailed):  # the seed of the sample comes with the next checkpoint of the audit trail
            await leader.post("/api/inspections", {"period": run.last_quarter()})
        return False
    if len(lines) > 1:
        raise StepFailed(f"one quarter is inspected {len(lines)} times")
    [line] = lines
    for login in (LEADER, *MEMBERS):
        member = await run.who(login)
        view = await member.get(f"/api/inspections/{line['id']}")
        if view["maySign"]:
            signed = {"reportSha256": view["reportSha256"], "outcome": "signed", "password": member.password}
            await member.post(f"/api/inspections/{line['id']}/signature", signed)
            return False
        for case in view["cases"]:
            if case["decidedAt"] is None and await _inspect(member, case["id"]):
                return False
    return bool(line["state"] == "signed")


async def _appoint(run: "MattersRun", group: dict[str, Any]) -> None:
    if group["waiting"] is not None:
        second = await run.who("songtao")
        await second.post(f"/api/supervision-group/{group['waiting']['id']}/confirm", {"password": second.password})
        return
    first = await run.who("gaofeng")
    until = (datetime.fromisoformat(run.moment()) + timedelta(days=300)).isoformat()
    people = {"leaderId": demo_id(LEADER), "memberIds": [demo_id(login) for login in MEMBERS]}
    wanted = {**people, "until": until, "basis": "会议纪要第3号", "password": first.password}
    await first.post("/api/supervision-group", wanted)


async def _inspect(member: PortalUser, case_id: str) -> bool:
    """Answer as the system does, where the case is the member's."""
    path = f"/api/inspected-cases/{case_id}"
    sheet = await member.get(path)
    if sheet["whyNotEn"] is not None:
        return False
    answers = {
        one["code"]: {"answer": "yes" if one["system"] in (None, "no") else one["system"], "word": "与卷宗核对无误。"}
        for one in sheet["questions"]
    }
    signed = {"sheetSha256": sheet["sheetSha256"], "password": member.password}
    await member.post(f"{path}/answers", {**signed, "answers": answers})
    return True
