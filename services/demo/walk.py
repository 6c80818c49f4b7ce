"""``make demo``: one application with two items through every step, through the API that people use."""

import asyncio
import json
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import anyio
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn
from rich.table import Table

from services import bootstrap
from services.bootstrap import Addresses, House
from services.demo import organisation, proof
from services.demo.people import People, Stuck, wait_for
from services.demo.proof import Check
from services.runtime.errors import Fatal, Retryable
from services.runtime.logs import configure_logs
from services.runtime.settings import Settings
from services.vault.labels import label_key

# Yesterday, by the sample recordings: camera 1 has a gap of 21 s in this span, camera 2 has none.
ITEMS = (("cam1", (22, 46, 30), (22, 50, 30)), ("cam2", (22, 46, 30), (22, 47, 45)))


@dataclass
class Walk:
    """The running demonstration: who acts, on which house, and what was found."""

    house: House
    people: People
    console: Console
    results: Path
    application_id: str = ""
    number: str = ""
    steps: list[tuple[str, str, str]] = field(default_factory=list)
    checks: list[Check] = field(default_factory=list)

    def say(self, step: str, who: str, what: str) -> None:
        self.steps.append((step, who, what))
        clock = self.house.clock.now().strftime("%m-%d %H:%M")
        self.console.print(f"[dim]{clock}[/] [bold]{step}[/] · {who} · {what}")


async def demonstrate(data: Path, console: Console) -> int:
    """Run the whole demonstration in ``data``; 0 only when every check holds."""
    shutil.rmtree(data, ignore_errors=True)
    settings = Settings.load(
        **organisation.settings(),
        data_dir=data / "house",
        portal_port=0,
        engine_port=0,
        health_port=0,
        poll_seconds=2,
        log_level="warning",
    )
    configure_logs("error", "console")
    started = datetime.now(UTC)
    try:
        async with _running(settings) as (house, addresses):
            accounts = {account.login: account.password for account in organisation.prepare(house)}
            async with People(addresses.portal or "", accounts) as people:
                walk = Walk(house, people, console, data)
                console.print("[bold]Footage Desk · 录像调取台[/]: one application, from the form to the archive\n")
                await _approve(walk)
                await _retrieve(walk)
                await _use_and_return(walk)
                await _close(walk)
    except (Stuck, Fatal, Retryable) as error:
        console.print(f"[red]The demonstration stopped:[/] {error}", markup=True)
        return 1
    return _report(walk, datetime.now(UTC) - started)


@asynccontextmanager
async def _running(settings: Settings) -> AsyncIterator[tuple[House, Addresses]]:
    house = bootstrap.open_house(settings)
    there: asyncio.Future[Addresses] = asyncio.get_running_loop().create_future()

    async def ready(addresses: Addresses) -> None:
        there.set_result(addresses)

    running = asyncio.create_task(bootstrap.run(house, bootstrap.everything(), ready))
    try:
        first: set[asyncio.Future[Any]] = {running, there}
        await asyncio.wait(first, return_when=asyncio.FIRST_COMPLETED)
        if running.done():
            await running
        yield house, there.result()
    finally:
        running.cancel()
        await asyncio.wait({running})


async def _approve(walk: Walk) -> None:
    drafter = await walk.people("lina")
    yesterday = (walk.house.clock.now() - timedelta(days=1)).date()
    items = []
    for channel, start, end in ITEMS:
        asked = {
            "cameraId": organisation.demo_id(channel),
            "start": datetime(yesterday.year, yesterday.month, yesterday.day, *start, tzinfo=UTC).isoformat(),
            "end": datetime(yesterday.year, yesterday.month, yesterday.day, *end, tzinfo=UTC).isoformat(),
        }
        held = await drafter.get("/api/coverage", **asked)
        items.append({**asked, "zone": "UTC"})
        walk.say("预查 coverage", "李娜", f"{channel}: the recorder holds {held['share']:.1%} of the span")
    applied = await drafter.post(
        "/api/applications",
        {
            "reason": "昨晚二十二时许，仓库北门附近发生叉车与货架碰撞，需要查明经过。",
            "purpose": "查明事故原因，作为事故报告的依据，并用于改进作业流程。",
            "purposeCategory": "accident",
            "legalBasis": "internal-management",
            "incidentReference": "SG-2026-0042",
            "wayOfUse": "download",
            "placeOfUse": "生产部二楼会议室",
            "requestedUseDays": 10,
            "custodianId": organisation.demo_id("liuyang"),
            "items": items,
            "submit": True,
        },
    )
    walk.application_id, walk.number = applied["id"], applied["number"]
    walk.say("申请 application", "李娜", f"{walk.number} submitted with two items")
    await _decide(walk, "zhangwei", "张伟", "preliminary", "approved")
    await _decide(walk, "wulei", "吴磊", "security", "approved", usePeriodDays=10, wayOfUse="download")
    await _decide(walk, "zhaoqiang", "赵强", "security-signature", "signed")
    await _decide(
        walk, "gaofeng", "高峰", "management", "approved", opinion="涉及敏感区域摄像头，同意调取，仅限事故调查使用。"
    )


async def _retrieve(walk: Walk) -> None:
    await _decide(walk, "hutao", "胡涛", "storage-release", "approved")
    second = await walk.people("linlin")
    review = await _review(walk, "linlin", "storage-release")
    whole = await second.get(f"/api/reviews/{review['id']}")
    await second.post(
        f"/api/reviews/{review['id']}/confirm",
        {"agrees": True, "formSha256": whole["formSha256"], "password": second.password},
    )
    walk.say("放行 release", "林琳", "confirmed as the second person")
    await _watch_items(walk)
    case = await (await walk.people("wulei")).get(f"/api/cases/{walk.application_id}")
    for item in case["items"]:
        walk.say(
            "调取 retrieval", "system", f"item {item['position']}: {item['outcome']}, {item['coverage']:.1%} covered"
        )
    if any(item["outcome"] == "partial" for item in case["items"]):
        await _decide(
            walk, "wulei", "吴磊", "partial-footage", "approved", reason="缺口处没有录像，其余部分足以查明经过。"
        )


async def _watch_items(walk: Walk) -> None:
    """Show each item's way into the vault until all have their outcome."""
    watcher = await walk.people("wulei")
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn())
    with Progress(*columns, console=walk.console, transient=True) as progress:
        bars = [
            progress.add_task(f"item {n}: fetch, clip, hash, encrypt, store", total=1) for n, _ in enumerate(ITEMS, 1)
        ]

        async def all_there() -> bool:
            items = (await watcher.get(f"/api/cases/{walk.application_id}"))["items"]
            for bar, item in zip(bars, items, strict=True):
                progress.update(bar, completed=1 if item["outcome"] else 0)
            return all(item["outcome"] for item in items)

        await wait_for("the footage", all_there)


async def _use_and_return(walk: Walk) -> None:
    custodian = await walk.people("liuyang")

    async def offered() -> Any:
        reviews = await custodian.get("/api/reviews")
        return bool(reviews) and await custodian.get("/api/hand-overs")

    hand_over = (await wait_for("the hand-over", offered))[0]
    path = f"/api/hand-overs/{hand_over['id']}"
    accepted = await custodian.post(
        f"{path}/accept",
        {
            "conditionsVersion": hand_over["conditionsVersion"],
            "formSha256": hand_over["formSha256"],
            "password": custodian.password,
        },
    )
    walk.say("签收 receipt", "刘洋", f"accepted, due {accepted['dueAt'][:10]}")
    for copy in accepted["copies"]:
        viewing = await custodian.post(f"/api/copies/{copy['id']}/viewings", {"purposeConfirmed": True})
        middle = viewing["size"] // 2
        got = await custodian.read(viewing["content"], middle, middle + 99_999)
        walk.say(
            "查看 view", "刘洋", f"{copy['cameraZh']}: {len(got.content):,} bytes from the middle of the sealed copy"
        )
    recordings = walk.house.settings.data_dir / "recordings"
    copies = proof.issued_copies(walk.house, walk.application_id, recordings)
    walk.checks += await anyio.to_thread.run_sync(proof.while_out, walk.house, copies)
    _keep_results(walk, copies)

    administrator = await walk.people("luoxin")
    turned = timedelta(days=hand_over["useDays"] - 3, minutes=1)
    await administrator.post("/api/demo/clock", {"seconds": int(turned.total_seconds())})

    async def reminded() -> bool:
        log = await custodian.get(f"{path}/custody-log")
        return any(entry["event"] == "reminded" for entry in log["entries"])

    await wait_for("the reminder", reminded)
    walk.say("提醒 reminder", "system", "three days before the due date")
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
    walk.say("归还 return", "刘洋", "returned to the storage office, attested that nothing was kept")


async def _close(walk: Walk) -> None:
    await _decide(walk, "guotao", "郭涛", "return-inspection", "in-order")
    watcher = await walk.people("wulei")

    async def closed() -> Any:
        case = await watcher.get(f"/api/cases/{walk.application_id}")
        return case if case["state"] == "closed" else None

    case = await wait_for("the archive", closed)
    walk.say("重新存档 re-archive", "system", f"the case is closed as {case['stateDetail']}")
    recordings = walk.house.settings.data_dir / "recordings"
    copies = proof.issued_copies(walk.house, walk.application_id, recordings)
    walk.checks += await anyio.to_thread.run_sync(proof.after_return, walk.house, copies)
    walk.checks.append(
        Check("the case ended in the archive", case["stateDetail"] == "footage-re-archived", case["stateDetail"])
    )
    documents = walk.results / "documents"
    documents.mkdir(parents=True, exist_ok=True)
    for document in case["documents"]:
        content = await watcher.get(f"/api/documents/{document['number']}")
        (documents / f"{document['number'].replace('/', '-')}.json").write_text(_pretty(content), encoding="utf-8")


async def _decide(walk: Walk, login: str, name: str, stage: str, outcome: str, **more: Any) -> None:
    review = await _review(walk, login, stage)
    decided = await (await walk.people(login)).decide(review, outcome, **more)
    waits = "" if decided["published"] else ", a second person has to confirm"
    walk.say(f"{stage}", name, f"{outcome}, signed over the form's hash{waits}")


async def _review(walk: Walk, login: str, stage: str) -> dict[str, Any]:
    somebody = await walk.people(login)

    async def mine() -> Any:
        for review in await somebody.get("/api/reviews"):
            if review["stage"] == stage and review["applicationId"] == walk.application_id:
                return review
        return None

    found: dict[str, Any] = await wait_for(f"the review {stage} for {login}", mine)
    return found


def _keep_results(walk: Walk, copies: list[proof.Issued]) -> None:
    """Lay the sealed copies and their labels where one can look at them."""
    folder = walk.results / "copies"
    folder.mkdir(parents=True, exist_ok=True)
    for number, copy in enumerate(copies, 1):
        for key, name in ((copy.sealed.key, "age"), (label_key(copy.sealed.key), "label.json")):
            with (folder / f"item-{number}.{name}").open("wb") as file:
                file.writelines(walk.house.store.get(copy.sealed.bucket, key))


def _pretty(content: Any) -> str:
    return json.dumps(content, ensure_ascii=False, indent=2) + "\n"


def _report(walk: Walk, took: timedelta) -> int:
    table = Table(title=f"\n{walk.number}: what was checked", title_justify="left", show_lines=False)
    for heading in ("check", "", "found"):
        table.add_column(heading)
    for check in walk.checks:
        table.add_row(check.what, "[green]holds[/]" if check.held else "[red]FAILS[/]", check.found)
    walk.console.print(table)
    held = bool(walk.checks) and all(check.held for check in walk.checks)
    folder = walk.results
    walk.console.print(
        f"{len(walk.steps)} steps, {len(walk.checks)} checks, {took.total_seconds():.0f} s. "
        f"Sealed copies and labels: {folder}/copies; documents: {folder}/documents."
    )
    walk.console.print("[green]Everything holds.[/]" if held else "[red]Something does not hold.[/]")
    return 0 if held else 1
