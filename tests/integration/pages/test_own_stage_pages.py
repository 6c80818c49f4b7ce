"""The pages of a stage that the organisation added itself: asked, answered, timed and printed like the policy's own."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest
from own_stage import own_stage_desk
from portal_client import Portal
from review_desk import ReviewDesk
from review_pages import Lens, decision, text_of

WORDS = {
    "zh": ("翻译审核", "能否翻译？", "是否为方言？", "同意并签字", "退回补正"),
    "en": (
        "interpreter's review",
        "Can it be translated?",
        "Is it a dialect?",
        "Approve and sign",
        "Return for correction",
    ),
}


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[ReviewDesk]:
    with own_stage_desk(tmp_path) as desk:
        yield desk


@pytest.fixture
async def portal(desk: ReviewDesk) -> AsyncIterator[Portal]:
    async with Portal(desk, recorders=lambda _kind, _configuration: Lens()) as opened:
        yield opened


async def read(browser: httpx.AsyncClient, path: str, language: str) -> str:
    browser.cookies.set("footage_desk_language", language)
    answer = await browser.get(path)
    assert answer.status_code == 200
    return text_of(answer)


@pytest.mark.parametrize("language", ["zh", "en"])
async def test_it_is_asked_in_both_languages_and_shown_wherever_stages_are(
    desk: ReviewDesk, portal: Portal, language: str
) -> None:
    case = desk.submitted()
    review_id = desk.opened(case, "interpreting")
    name, *asked = WORDS[language]
    interpreter, security = await portal.signed_in("inspector"), await portal.signed_in("security-head")

    assert name in await read(interpreter, "/inbox?stage=interpreting", language)
    page = await read(interpreter, f"/reviews/{review_id}", language)
    assert all(words in page for words in (name, *asked)), page
    assert name in await read(security, f"/cases/{case}", language)
    for stranger in ("operator", "manager"):
        assert (await (await portal.signed_in(stranger)).get(f"/reviews/{review_id}")).status_code == 404

    answered = await interpreter.post(f"/reviews/{review_id}/decide", data=decision(desk, review_id, "approved"))
    assert answered.status_code == 303
    case_page = await read(security, f"/cases/{case}", language)
    assert asked[0] in case_page  # questions and answers stand with the decision
