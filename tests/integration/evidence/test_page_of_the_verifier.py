"""``verify.html`` comes to the result of ``verify.pyz``, line by line, on every package that somebody has changed."""

import hashlib
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import amount
import package_tampering as tampering
import pytest
import tools
from evidence_case import Made
from older_package import open_older
from playwright.sync_api import Page, sync_playwright
from tampered_packages import Small, Tampered, groups

from services.bench import small_case
from services.vault.keys.log_key import ensure_log_key
from services.vault.keys.signer import Signer
from services.vault.keys.signing_key import ensure_signing_key
from services.verifier.examination import examine
from services.verifier.page import build
from services.verifier.report import Report

pytestmark = [pytest.mark.tool("chromium"), pytest.mark.tool("openssl")]

AT_ONCE = 20  # packages that the page gets together
PER_KIND = 4  # packages of each kind in a sample
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
# What the two cannot say in the same words: the error of a JSON parser, and a value that has another shape.
OWN_WORDS = re.compile(r"unexpected structure|is not JSON|is not canonical JSON|cannot be read")


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """The page from a file, in a browser that says of each address that it asks for something."""
    file = tmp_path_factory.mktemp("page") / "verify.html"
    file.write_bytes(build.build())
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=tools.chromium(), args=["--no-sandbox"], env=tools.chromium_environment()
        )
        opened = browser.new_page(locale="en-GB")
        said: list[str] = []
        opened.on("console", lambda message: said.append(message.text))
        opened.on("pageerror", lambda error: said.append(str(error)))
        opened.goto(file.as_uri())
        opened.evaluate(FIELD)
        yield opened
        assert said == []
        browser.close()


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Small:
    folder, now = tmp_path_factory.mktemp("small"), datetime.now(UTC)
    seal, key = Signer(ensure_signing_key(folder / "seal", "strangers", now)), ensure_log_key(folder / "log")
    small_case.write(folder / "package.zip", seal, key, [b"footage"], now.isoformat())
    return Small(tampering.read(folder / "package.zip"), seal, key, folder)


@pytest.mark.requirement("R47", "R52", refuses=True)
def test_both_verifiers_say_the_same(
    made: Made, forged: Made, small: Small, page: Page, tmp_path_factory: pytest.TempPathFactory
) -> None:
    kinds = groups(made, forged, open_older(tmp_path_factory.mktemp("older")), small)
    wanted = [one for kind in kinds.values() for one in sampled(kind)]
    folder = tmp_path_factory.mktemp("changed")
    differences = []
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
    """The lines that one of the two alone has, and results that differ."""
    own = [(line.status, line.check, line.of, common(line.found)) for line in report.lines]
    page = [(line["status"], line["check"], line["of"], common(line["found"])) for line in shown["checks"]]
    parts: list[Any] = [*(("pyz", line) for line in own if line not in page)]
    parts += [("page", line) for line in page if line not in own]
    if not parts and own != page:
        parts.append("the lines have another order")
    stated = report.as_json()
    for name in stated:
        if name != "checks" and stated[name] != shown[name]:
            parts.append((name, stated[name], shown[name]))
    return parts


def common(found: str) -> str:
    match = OWN_WORDS.search(found)
    return found if match is None else match[0]


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
