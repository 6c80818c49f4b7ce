"""``verify.html`` comes to the result of ``verify.pyz``, line by line, on every package that somebody has changed."""

import asyncio
import hashlib
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from itertools import zip_longest
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import amount
import package_tampering as tampering
import pytest
import tools
from case_people import CUSTODIAN
from evidence_case import Made
from older_package import open_older
from package_desk import opened
from playwright.sync_api import Browser, Page, sync_playwright
from redacted_footage import RECIPE
from tampered_packages import Small, Tampered, groups, packed_by_others
from whole_footage import Footage
from whole_matter import ask

from services.bench import small_case
from services.database.leases import Lease
from services.database.tables.copies import Copy
from services.database.tables.derivatives import Derivative
from services.evidence import package
from services.runtime.threads import run_in_thread
from services.vault.envelopes import open_envelope
from services.vault.keys.log_key import ensure_log_key
from services.vault.keys.signer import Signer
from services.vault.keys.signing_key import ensure_signing_key
from services.verifier.examination import examine
from services.verifier.page import build
from services.verifier.report import Report
from services.workers import redactions
from services.workers.redactions import RedactionMaker

pytestmark = [pytest.mark.tool("chromium"), pytest.mark.tool("openssl"), pytest.mark.timeout(900)]

AT_ONCE = 20  # packages that the page gets together
PER_KIND = 3  # packages of each kind in a sample
PARTS = amount.examples(sample=1, full=8)  # tests that the whole set of some 3,000 packages is divided into
VERIFY = """async (trust) => {
  const reports = [];
  for (const [n, file] of [...document.querySelector("#many").files].entries())
    reports.push(await verifyPackage(file, trust[n]));
  return reports;
}"""
FIELD = """() => {
  const input = document.createElement("input");
  Object.assign(input, { type: "file", multiple: true, id: "many" });
  document.body.append(input);
}"""
# What the two cannot say in the same words: how a parser fails, and a value that has another shape.
OWN_WORDS = re.compile(r"unexpected structure|is not JSON|is not canonical JSON|cannot be read")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(
            executable_path=tools.chromium(), args=["--no-sandbox"], env=tools.chromium_environment()
        )
        yield opened
        opened.close()


@contextmanager
def opened_page(browser: Browser, folder: Path, **context: Any) -> Iterator[Page]:
    """The page from a file; it has to say nothing to the console, as it would of an address that it may not ask."""
    file = folder / "verify.html"
    file.write_bytes(build.build())
    said: list[str] = []
    asked: list[str] = []
    page = browser.new_context(**context).new_page()
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(file.as_uri())
    yield page
    page.context.close()
    assert said == []
    assert [address for address in asked if not address.startswith(("file:", "data:", "blob:"))] == []


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Small:
    folder, now = tmp_path_factory.mktemp("small"), datetime.now(UTC)
    seal, key = Signer(ensure_signing_key(folder / "seal", "strangers", now)), ensure_log_key(folder / "log")
    small_case.write(folder / "package.zip", seal, key, [b"footage"], now.isoformat())
    return Small(tampering.read(folder / "package.zip"), seal, key, folder)


@pytest.mark.slow
@pytest.mark.requirement("R47", "R52", refuses=True)
@pytest.mark.parametrize("part", range(PARTS))
def test_both_verifiers_say_the_same(
    made: Made, small: Small, browser: Browser, request: pytest.FixtureRequest, part: int
) -> None:
    folder: Path = request.getfixturevalue("tmp_path")
    forged: Made | None = request.getfixturevalue("forged") if amount.all_of_it() else None
    kinds = groups(made, forged, open_older(folder / "older"), small)
    wanted = [one for kind in kinds.values() for one in sampled(kind)][part::PARTS]
    differences: list[Any] = []
    with opened_page(browser, folder) as page:
        page.evaluate(FIELD)
        for start in range(0, len(wanted), AT_ONCE):
            some = wanted[start : start + AT_ONCE]
            paths = [folder / f"{n}.zip" for n in range(len(some))]
            for one, path in zip(some, paths, strict=True):
                one.write(path)
            page.set_input_files("#many", paths)
            found = page.evaluate(VERIFY, [one.trust for one in some])
            for one, path, shown in zip(some, paths, found, strict=True):
                differences += [(one.name, line) for line in different(examine(path, one.trust), shown)]

    assert differences == []


def sampled(kind: list[Tampered]) -> list[Tampered]:
    """Some of a kind, from its beginning to its end."""
    count = amount.examples(sample=PER_KIND, full=len(kind))
    return [kind[at * len(kind) // count] for at in range(count)] if count < len(kind) else kind


def different(report: Report, shown: dict[str, Any]) -> list[Any]:
    """The first line in which the two differ, and results that do."""
    stated = report.as_json()
    parts: list[Any] = []
    for own, page in zip_longest(stated["checks"], shown["checks"], fillvalue={}):
        same = all(own.get(name) == page.get(name) for name in ("status", "check", "of"))
        if not same or not (own["found"] == page["found"] or in_own_words(own, page)):
            parts.append((own, page))
            break
    parts += [(name, stated[name], shown[name]) for name in stated if name != "checks" and stated[name] != shown[name]]
    return parts


def in_own_words(*lines: dict[str, Any]) -> bool:
    return any(OWN_WORDS.search(line["found"]) for line in lines)


@pytest.mark.slow
@pytest.mark.requirement("R37", "R47", refuses=True)
def test_both_verifiers_hold_stills_of_a_copy_and_of_its_redacted_copy_alike(
    browser: Browser, tmp_path: Path, case_footage: Footage, case_books: Path
) -> None:
    with ThreadPoolExecutor(1) as aside:  # an open browser has a loop in this thread
        path, root = aside.submit(asyncio.run, with_stills(tmp_path, case_footage, case_books)).result()
    contents = tampering.read(path)
    pictures = [name for name in contents if re.fullmatch(r"attachments/\d+\.jpg", name)]
    sheets = [name for name in contents if re.fullmatch(r"documents/JT-[\d-]+\.(json|pdf)", name)]
    labels = [name for name in contents if re.fullmatch(r"documents/JT-[\d-]+\.label\.json", name)]
    kinds = [open_envelope(contents[name]).statement["predicate"]["kind"] for name in labels]
    assert (len(pictures), sorted(kinds)) == (2, ["redacted-still", "still"])
    changed = [path]
    for name in (*pictures, *sheets, *labels):
        altered = {**contents, name: contents[name][:-1] + bytes([contents[name][-1] ^ 1])}
        changed.append(tampering.write(tmp_path / f"{len(changed)}.zip", altered))

    with opened_page(browser, tmp_path) as page:
        page.evaluate(FIELD)
        page.set_input_files("#many", changed)
        found = page.evaluate(VERIFY, [[root]] * len(changed))

    reports = [examine(one, [root]) for one in changed]
    assert [report.exit_code for report in reports] == [0] + [1] * (len(changed) - 1)
    assert [different(report, shown) for report, shown in zip(reports, found, strict=True)] == [[]] * len(changed)


async def with_stills(folder: Path, footage: Footage, books: Path) -> tuple[Path, str]:
    """The package of a case with a still of a copy and one of its redacted copy, and the fingerprint of its root."""
    async with opened(folder, footage, books) as desk, desk.portal(CUSTODIAN) as client:
        container = desk.container
        [copy] = desk.rows(Copy)
        await ask(desk, desk.case, "redaction", copyId=copy.id, recipe=RECIPE)
        lease = Lease(desk.database, redactions.LEASE, redactions.LENGTH)
        maker = RedactionMaker(
            desk.database, container.store, container.loan_keys, lambda: container.signer, lease=lease
        )
        assert await maker.run()
        [redacted] = desk.rows(Derivative)
        for footage_of in (f"/api/copies/{copy.id}", f"/api/derivatives/{redacted.id}"):
            viewing = (await client.post(f"{footage_of}/viewings", json={"purposeConfirmed": True})).json()["id"]
            saved = await client.post(f"{footage_of}/stills", json={"viewing": viewing, "atMs": 0, "text": "门前"})
            assert saved.status_code == 201, saved.text
        made = await run_in_thread(package.make, desk.sources, desk.number, folder / "stills.zip", "clear")
        return made.path, made.fingerprints["root"]


def test_the_page_is_built_the_same_again_and_asks_for_nothing() -> None:
    first = build.build()
    build.build.cache_clear()
    assert build.build() == first
    assert build.sha256() == hashlib.sha256(first).hexdigest()

    text = first.decode()
    [policy] = re.findall(r'http-equiv="Content-Security-Policy" content="([^"]*)"', text)
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    assert "unsafe" not in policy
    assert "connect-src" not in policy
    assert re.findall(r"<(?:script|link|img|iframe)[^>]*\b(?:src|href)=.(?!data:)", text) == []


@pytest.mark.requirement("R52")
def test_a_reader_sees_what_holds_in_either_language(small: Small, browser: Browser, tmp_path: Path) -> None:
    sound = tampering.write(tmp_path / "SQ-2031-000001.zip", small.contents)
    changed = tmp_path / "changed.zip"
    changed.write_bytes(sound.read_bytes().replace(b"its case never was", b"its case never ran", 1))
    root = examine(sound).fingerprints["root"]
    made_at = examine(sound).facts["madeAt"]
    own_time = (
        datetime.fromisoformat(made_at).astimezone(ZoneInfo("Asia/Shanghai")).strftime("%Y年%-m月%-d日 GMT+8 %H:%M:%S")
    )
    reader = {"locale": "zh-CN", "timezone_id": "Asia/Shanghai", "viewport": {"width": 390, "height": 844}}
    with opened_page(browser, tmp_path, **reader) as page:
        assert page.title() == "核验证据包"
        page.set_input_files("#file", sound)
        verdict = page.locator("#verdict")
        verdict.wait_for()
        assert verdict.inner_text() == "内容成立，签署者未经确认"
        assert f"{own_time} ({made_at})" in page.inner_text("#result")
        assert page.evaluate("document.activeElement.id") == "verdict"
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        page.fill("#trust", root)
        page.locator("#compare").press("Enter")
        page.locator(".verdict.sound").wait_for()
        assert "与所填一致" in page.inner_text(".prints")

        page.locator("#en").press("Enter")
        assert page.get_attribute("html", "lang") == "en"
        assert page.inner_text("#verdict") == "Everything holds"
        assert page.locator("details tbody tr").count() == len(examine(sound, [root]).lines)

        page.set_input_files("#file", changed)
        page.locator(".verdict.broken").wait_for()
        failures = page.inner_text(".failures")
        assert "each member's bytes are those of the manifest" in failures
        assert "and the manifest says" in failures

        packed = packed_by_others(small.contents)
        wrapped = tmp_path / "wrapped.zip"
        wrapped.write_bytes(packed["wrapped"])
        page.set_input_files("#file", wrapped)
        page.get_by_text("wrapped.zip ·").wait_for()
        page.get_by_role("heading", name="This file is no package as it was made").wait_for()
        assert "unpack it once, and choose the one inside" in page.inner_text(".failures")
        again = tmp_path / "again.zip"
        again.write_bytes(packed["packed again"])
        page.locator("#zh").press("Enter")
        page.set_input_files("#file", again)
        page.get_by_text("它曾被解压后重新打包：请取收到时的原文件").first.wait_for()
        assert page.inner_text("#verdict") == "此文件不是制作时的证据包"


@pytest.mark.skipif(not amount.all_of_it(), reason="4 GiB are read in make test-all alone")
def test_a_package_of_more_than_4_gib_needs_less_than_300_mib(small: Small, browser: Browser, tmp_path: Path) -> None:
    target = tmp_path / "large.zip"
    now = datetime.now(UTC).isoformat()
    small_case.write(target, small.seal, small.key, [bytes(1 << 20)] * 4100, now)
    before = renderers()
    with opened_page(browser, tmp_path) as page:
        own = renderers() - before
        page.set_input_files("#file", target)
        page.locator("#verdict").wait_for(timeout=600_000)
        assert page.locator(".verdict.unknown").count() == 1
        assert 0 < max(map(most_memory, own)) < 300 << 20


def renderers() -> set[Path]:
    """The processes of this machine that draw a browser's pages."""
    found = set()
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if b"--type=renderer" in (folder / "cmdline").read_bytes():
                found.add(folder)
    return found


def most_memory(process: Path) -> int:
    """The most bytes that the process has had in memory."""
    [line] = [line for line in (process / "status").read_text().splitlines() if line.startswith("VmHWM")]
    return int(line.split()[1]) << 10
