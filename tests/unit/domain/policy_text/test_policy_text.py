"""The policy is a page and its version a setting, which applications and documents name (R1)."""

import hashlib
from pathlib import Path

import pytest
from built_portal import portal_over
from portal_client import Portal, problem
from review_desk import ReviewDesk

from services.database.tables.applications import Application
from services.domain.policy_text import text
from services.runtime.rules import rules_of
from services.runtime.settings import Settings, SettingsError

pytestmark = pytest.mark.requirement("R1")
OWN = """# 本单位录像调取制度

第一条 目的。<script>alert(1)</script> ![x](https://elsewhere.example/x.png) [联系](javascript:alert(1))

| 环节 | 时限 |
|---|---|
| 初审 | 24 小时 |
"""


@pytest.fixture
def own_text(tmp_path: Path) -> Path:
    file = tmp_path / "policy.md"
    file.write_text(OWN, encoding="utf-8")
    return file


async def test_everybody_reads_the_shipped_policy_with_its_version(desk: ReviewDesk) -> None:
    async with Portal(desk) as portal:
        for person in ("drafter", "admin"):
            client = await portal.signed_in(person)
            page = (await client.get("/policy")).text
            assert "视频录像调取制度规范" in page
            assert "设立视频录像调取监督小组" in page
            assert "2026-01" in page
            answer = (await client.get("/api/policy")).json()
            assert answer["version"] == "2026-01"
            assert answer["sha256"] == hashlib.sha256(text.SHIPPED.read_bytes()).hexdigest()
        stranger = portal.anonymous()
        assert (await stranger.get("/policy")).status_code == 303
        assert (await stranger.get("/api/policy")).status_code == 401


async def test_an_organisations_own_text_is_shown_without_markup_of_its_own(desk: ReviewDesk, own_text: Path) -> None:
    settings = Settings.load(rules={"policy_version": "2031-7", "policy_file": own_text})
    portal = Portal(desk)
    portal.app = portal_over({"database": desk.database, "settings": settings})
    async with portal:
        client = await portal.signed_in("drafter")
        page = (await client.get("/policy")).text
        assert "<h2>本单位录像调取制度</h2>" in page
        assert "<td>24 小时</td>" in page
        assert "2031-7" in page
        for forbidden in ("<script>alert", '<img src="https://elsewhere', 'href="javascript'):
            assert forbidden not in page

        own_text.unlink()  # noqa: ASYNC240 - as somebody may do while the portal runs

        assert (await client.get("/policy")).status_code == 503
        assert problem(await client.get("/api/policy"))[:2] == (503, "policy-unreadable")


def test_applications_keep_the_version_under_which_they_were_submitted(tmp_path: Path) -> None:
    rules = rules_of(Settings.load(rules={"policy_version": "2031-7", "max_use_days": 30}))
    desk = ReviewDesk(f"sqlite:///{tmp_path / 'database.sqlite3'}", rules)
    assert desk.the(Application, id=desk.submitted()).policy_version == "2031-7"
    desk.close()


@pytest.mark.parametrize(
    ("content", "cause"),
    [(None, "cannot be read"), (b"  ", "empty"), (b"\xff\xfe", "UTF-8"), (b"x" * 1_000_001, "larger")],
)
def test_a_file_that_is_no_policy_stops_the_start(tmp_path: Path, content: bytes | None, cause: str) -> None:
    file = tmp_path / "policy.md"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(SettingsError, match=cause):
        Settings.load(rules={"policy_file": file})
