"""The pages of a walk: in both languages, for who has the address alone, safe against what models and forms hold."""

import re
import shutil
from collections.abc import Iterator
from html import unescape
from pathlib import Path

import httpx
import pytest
from edited_models import Model
from played_case import workers

from services.designers.play import session as play_session
from services.designers.play.session import Session
from services.designers.play.web import SHOWN_STEPS, create_app, make_token
from services.runtime.places import BPMN

TOKEN = make_token()
LOCAL = "http://127.0.0.1:8080"


class Designer:
    """A designer at the browser."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.app = create_app(session, TOKEN)

    async def get(self, path: str = "", token: str = TOKEN, **how: str) -> httpx.Response:
        async with self._client(how.get("base", LOCAL)) as client:
            return await client.get(f"/{token}/{path}", headers={"Accept-Language": how.get("language", "en")})

    async def post(self, act: str, token: str = TOKEN, base: str = LOCAL, **form: str) -> httpx.Response:
        async with self._client(base) as client:
            data = {"at": self.session.at, **form}
            return await client.post(f"/{token}/{act}", data=data, headers={"Accept-Language": "en"})

    def _client(self, base: str) -> httpx.AsyncClient:
        transport = httpx.ASGITransport(self.app)
        return httpx.AsyncClient(transport=transport, base_url=base, follow_redirects=True)

    async def choose(self, about: str, answer: str = "done", number: int = 0) -> httpx.Response:
        return await self.post("choose", choice=self.choice(about), answer=answer, number=str(number))

    def choice(self, about: str) -> str:
        return next(choice.id for choice in self.session.choices() if choice.about == about)


@pytest.fixture(scope="module")
def one_session(tmp_path_factory: pytest.TempPathFactory) -> Session:
    return Session(Path(shutil.copytree(BPMN, tmp_path_factory.mktemp("play") / "my-models")), workers(), items=1)


@pytest.fixture
def designer(one_session: Session) -> Iterator[Designer]:
    """A designer at the beginning of a case, with models that no test of them changes."""
    one_session.begin()
    one_session.language = None
    yield Designer(one_session)
    shutil.rmtree(one_session.folder / "walks", ignore_errors=True)


@pytest.fixture
def editing(tmp_path: Path) -> Designer:
    return Designer(Session(Path(shutil.copytree(BPMN, tmp_path / "models")), workers(), items=1))


def text(answer: httpx.Response) -> str:
    return unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", answer.text)))


async def test_a_designer_walks_by_the_buttons_and_sees_what_happened(designer: Designer) -> None:
    shown = await designer.choose("open-case", number=0)
    assert shown.status_code == 200
    assert "1 · Open case is done" in text(shown)
    assert "2026-03-02 16:00" in text(shown)

    shown = await designer.choose("preliminary-review", number=2)
    shown = await designer.post("run-on")

    assert "Department decides" in text(shown)
    assert "waits for the message review-decided" in text(shown)
    assert re.search(r'<g class="callActivity here" data-id="Call_DepartmentDecides">', shown.text)
    shown = await designer.get("?plane=review:review")
    assert re.search(r'<g class="receiveTask here" data-id="Task_AwaitDecision">', shown.text)
    shown = await designer.post("next")
    assert "Time passes: Review reminder due" in text(shown)
    shown = await designer.post("turn", amount="P1D")
    assert "remind-reviewer" in shown.text
    shown = await designer.post("back", to="0")
    assert "0 steps" in text(shown)


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("en", ["Walk through a case", "What can happen now", "Open case", "Turn to the next timer"]),
        ("zh-CN", ["案件走查", "此时可能发生的事", "登记案件", "拨到下一个定时"]),
    ],
)
async def test_the_pages_are_in_the_language_that_the_browser_asks_for(
    designer: Designer, language: str, words: list[str]
) -> None:
    await designer.choose("open-case", number=0)
    await designer.choose("preliminary-review", number=2)
    await designer.post("run-on")

    shown = text(await designer.get(language=language))

    assert [word for word in words[:2] + words[3:] if word not in shown] == []
    assert words[2] in shown
    coverage = text(await designer.get("coverage", language=language))
    assert ("Visited by none" if language == "en" else "没有走查走到") in coverage


async def test_the_language_is_switched_on_the_page(designer: Designer) -> None:
    shown = await designer.post("language", language="zh")

    assert '<html lang="zh-CN">' in shown.text
    assert "案件走查" in shown.text
    assert '<html lang="zh-CN">' in (await designer.get(language="en")).text


@pytest.mark.parametrize("path", ["", "coverage", "changed"])
async def test_without_the_secret_of_the_address_nothing_is_shown(designer: Designer, path: str) -> None:
    for token in ("guessed", TOKEN[:-1], TOKEN + "x", "é"):
        shown = await designer.get(path, token=token)
        assert shown.status_code == 404
        assert "open-case" not in shown.text
        assert TOKEN not in shown.text


async def test_without_the_secret_nothing_is_done(designer: Designer) -> None:
    refused = await designer.post(
        "choose", token="guessed", choice=designer.choice("open-case"), answer="done", number="0"
    )

    assert refused.status_code == 404
    assert len(designer.session.walk.steps) == 1


@pytest.mark.parametrize("host", ["http://footage.example", "http://127.0.0.1.footage.example:8080", "http://10.0.0.5"])
async def test_no_other_name_leads_to_the_pages(designer: Designer, host: str) -> None:
    assert (await designer.get(base=host)).status_code == 400
    assert (await designer.post("run-on", base=host)).status_code == 400
    assert (await designer.get(base="http://localhost:1")).status_code == 200


async def test_the_answer_is_kept_from_other_sites(designer: Designer) -> None:
    headers = (await designer.get()).headers

    assert headers["content-security-policy"].startswith("default-src 'self'")
    assert (headers["cache-control"], headers["referrer-policy"]) == ("no-store", "same-origin")


async def test_a_value_outside_of_the_type_is_a_sentence_and_what_was_typed_stays(designer: Designer) -> None:
    choice = designer.choice("open-case")
    field = f"v-{choice}-done-"

    refused = await designer.post(
        "typed",
        choice=choice,
        answer="done",
        **{
            f"{field}duplicate": "false",
            f"{field}itemIds": "item-1, item-7",
            f"{field}correctionPeriod": "<b>soon</b>",
            f"{field}applicationNumber": 'SQ"1',
        },
    )

    assert refused.status_code == 422
    assert "correctionPeriod has to be a duration such as P7D or PT8H." in text(refused)
    assert 'value="&lt;b&gt;soon&lt;/b&gt;"' in refused.text
    assert 'value="SQ&#34;1"' in refused.text
    assert 'aria-invalid="true"' in refused.text
    assert len(designer.session.walk.steps) == 1


async def test_a_typed_value_is_given(designer: Designer) -> None:
    choice = designer.choice("open-case")
    names = {"duplicate": "false", "itemIds": "item-1，item-7", "correctionPeriod": "P9D", "applicationNumber": "@new"}

    shown = await designer.post(
        "typed", choice=choice, answer="done", **{f"v-{choice}-done-{name}": value for name, value in names.items()}
    )

    assert shown.status_code == 200
    assert '["item-1", "item-7"]' in text(shown)
    assert '"applicationNumber~2"' in text(shown)


async def test_what_was_chosen_on_a_page_that_is_out_of_date_is_refused(designer: Designer) -> None:
    old = designer.session.at
    choice = designer.choice("open-case")
    await designer.choose("open-case", number=0)

    refused = await designer.post("choose", at=old, choice=choice, answer="done", number="0")

    assert refused.status_code == 409
    assert "The walk has moved on since this page was shown: choose again." in text(refused)
    assert len(designer.session.walk.steps) == 2


@pytest.mark.parametrize(
    ("act", "form", "status"),
    [
        ("turn", {"amount": "soon"}, 422),
        ("turn", {"amount": "-P1D"}, 422),
        ("turn", {"amount": "P9000Y"}, 422),
        ("turn", {"amount": "P500Y"}, 422),
        ("next", {}, 409),
        ("run-on", {}, 409),
        ("choose", {"choice": "job-1", "answer": "done", "number": "0"}, 409),
        ("choose", {"choice": "job-1", "answer": "done", "number": "９"}, 409),
        ("throw", {"choice": "job-1", "error": "X"}, 409),
        ("open", {"name": "../../secret"}, 404),
        ("save", {"name": "../up"}, 422),
        ("begin", {"beginning": "create nothing"}, 409),
        ("destroy", {}, 404),
    ],
)
async def test_what_cannot_be_done_is_a_sentence(
    designer: Designer, act: str, form: dict[str, str], status: int
) -> None:
    refused = await designer.post(act, **form)

    assert refused.status_code == status
    assert 'role="alert"' in refused.text
    assert len(designer.session.walk.steps) == 1


async def test_hostile_names_and_values_are_text(editing: Designer) -> None:
    hostile = "<script>alert(1)</script>"
    model = Model(editing.session.folder)
    model.one("Task_OpenCase").set("name", hostile)
    model.save()
    await editing.post("reload")
    choice = editing.choice("open-case")
    names = {"duplicate": "false", "itemIds": hostile, "correctionPeriod": "P9D", "applicationNumber": hostile}

    shown = await editing.post(
        "typed", choice=choice, answer="done", **{f"v-{choice}-done-{name}": value for name, value in names.items()}
    )

    assert shown.status_code == 200
    pages = [
        shown,
        await editing.get(language="zh"),
        await editing.get("?plane=video-retrieval:video-retrieval", language="zh"),
    ]
    for page in [*pages, await editing.get("coverage", language="zh")]:
        assert "<script>alert" not in page.text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in pages[0].text
    await editing.post("save", name="x")
    (editing.session.folder / "walks" / f"{'<img src=x>'}.json").write_text(hostile, encoding="utf-8")
    assert "<img src=x>" not in (await editing.get("coverage")).text


async def test_a_walk_is_saved_opened_again_and_counted(designer: Designer) -> None:
    await designer.choose("open-case", number=0)
    shown = await designer.post("save", name="first")
    assert "walks/first.json" in text(shown)
    again = await designer.post("save", name="first")
    assert (again.status_code, "There is a walk first already" in text(again)) == (409, True)
    await designer.post("begin")

    coverage = await designer.get("coverage")

    assert "the same way" in text(coverage)
    assert re.search(r'<g class="serviceTask missed" data-id="Task_', coverage.text)
    assert "Security review, automatic part" in text(coverage)
    shown = await designer.post("open", name="first")
    assert "The walk first was taken." in text(shown)
    assert len(designer.session.walk.steps) == 2


async def test_a_saved_model_is_offered_and_the_walk_goes_the_same_way_as_far_as_it_leads(editing: Designer) -> None:
    await editing.choose("open-case", number=0)
    await editing.choose("preliminary-review", number=2)
    assert (await editing.get("changed")).json() == {"changed": False}
    model = Model(editing.session.folder)
    model.retarget("Flow_ApplicationComplete", "Task_SecurityReview")
    model.save()
    assert (await editing.get("changed")).json() == {"changed": True}
    assert 'id="changed">' in (await editing.get()).text

    shown = await editing.post("reload")

    assert "The models were loaded again. The walk departs." in text(shown)
    assert "Step 2: no longer: “Open review” (open-review) starts; now: “Security review, automatic part”" in text(
        shown
    )
    assert (await editing.get("changed")).json() == {"changed": False}
    assert "security-review" in (await editing.get()).text


async def test_a_model_that_cannot_be_read_is_told_as_lint_tells_it_and_the_walk_stays(editing: Designer) -> None:
    await editing.choose("open-case", number=0)
    path = editing.session.folder / "review.bpmn"
    whole = path.read_text("utf-8")
    path.write_text(whole.replace("<bpmn:process", "<bpmn:process <"), encoding="utf-8")

    shown = await editing.post("reload")

    assert "error: review.bpmn:3: It is no XML" in text(shown)
    assert "错误: review.bpmn:3: " in text(await editing.get(language="zh"))
    assert len(editing.session.walk.steps) == 2
    assert (await editing.get("changed")).json() == {"changed": False}
    path.write_text(whole, encoding="utf-8")
    shown = await editing.post("reload")
    assert "It goes the same way: 1 step." in text(shown)
    assert "no XML" not in text(shown)


async def test_a_model_that_the_engine_refuses_is_told_with_its_element(editing: Designer) -> None:
    model = Model(editing.session.folder)
    model.condition("Flow_DepartmentApproved", "=decision = ")
    model.save()

    shown = text(await editing.post("reload"))

    assert "error: video-retrieval.bpmn:" in shown
    assert "Flow_DepartmentApproved" in shown


async def test_steps_that_were_taken_back_at_once_can_be_restored(designer: Designer) -> None:
    await designer.choose("open-case", number=0)
    await designer.choose("preliminary-review", number=2)
    await designer.post("back", to="1")
    assert len(designer.session.walk.steps) == 2
    await designer.post("begin")
    shown = await designer.post("restore")
    assert "1 step ·" in text(shown)

    await designer.post("back", to="0")
    shown = await designer.post("restore")

    assert "1 · Open case is done" in text(shown)
    assert len(designer.session.walk.steps) == 2


async def test_a_worker_that_nobody_declared_may_give_anything_that_is_json(editing: Designer) -> None:
    model = Model(editing.session.folder)
    [definition] = [
        one for one in model.one("Task_PreliminaryReview").iter() if str(one.tag).endswith("taskDefinition")
    ]
    definition.set("type", "our-own-check")
    model.save()
    await editing.post("reload")
    await editing.choose("open-case", number=0)
    choice = editing.choice("our-own-check")
    field = f"v-{choice}-done-any-values"

    for wrong in ("[1]", "{", '{"a": NaN}', '{"a": "\\ud800"}', '{"a": "@+soon"}', "[" * 2000):
        refused = await editing.post("typed", choice=choice, answer="done", **{field: wrong})
        assert refused.status_code == 422
    shown = await editing.post(
        "typed", choice=choice, answer="done", **{field: '{"applicationComplete": true, "onBehalf": false}'}
    )

    assert "Department decides" in text(shown)
    await editing.post("back")
    shown = await editing.post("throw", choice=choice, error="NO_SUCH")
    assert "The process stops" in text(shown) or "the process stops here with an incident" in text(shown)


async def test_a_walk_of_five_hundred_steps_shows_the_last_ones_and_all_on_demand(designer: Designer) -> None:
    await designer.choose("open-case", number=0)
    for _ in range(500):
        designer.session.turn_by("PT1S")

    shown = await designer.get()

    assert shown.text.count("The clock is turned") == SHOWN_STEPS
    assert f"Show {502 - SHOWN_STEPS} earlier steps" in text(shown)
    assert (await designer.get("?every=1")).text.count("The clock is turned") == 500
    await designer.post("back")
    assert len(designer.session.walk.steps) == 501


async def test_jobs_that_follow_each_other_for_ever_do_not_hold_the_page(
    editing: Designer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(play_session, "MOST_AT_ONCE", 5)
    model = Model(editing.session.folder)
    model.retarget("Flow_FootagePreserved", "Task_PreserveFootage")
    model.save()
    await editing.post("reload")
    await editing.choose("open-case", number=0)

    shown = await editing.post("run-on")

    assert (shown.status_code, len(editing.session.walk.steps)) == (200, 7)
