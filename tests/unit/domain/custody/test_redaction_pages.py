"""Pages and API of redacted copies: boxes drawn over a copy, its progress, and what is left to watch."""

import json
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from custody_browser import Browser
from custody_desk import Case, Desk, film

from services.database.leases import Lease
from services.database.tables.copies import Copy, Viewing
from services.database.tables.derivatives import Derivative, DerivativeViewing
from services.database.tables.matters import Matter
from services.workers import redactions
from services.workers.redactions import RedactionMaker

BOX = {"start": 0, "end": 30_000, "keyframes": [{"at": 0, "x": 0, "y": 0, "width": 80, "height": 64}]}
RECIPE = {"mode": "keep-one", "picture": {"width": 160, "height": 96}, "regions": [BOX]}


@pytest.fixture(scope="session")
def footage(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return film(tmp_path_factory.mktemp("footage") / "recorder")


@pytest.fixture
def case(tmp_path: Path, footage: Path) -> Case:
    return Desk.at_stage("lend", tmp_path, footage, "gate")


@pytest.fixture
async def custodian(case: Case) -> AsyncIterator[Browser]:
    browser = await Browser.of(case.desk, "custodian")
    browser.client.cookies.set("footage_desk_language", "en")
    yield browser
    await browser.client.aclose()


@pytest.mark.requirement("R6", "R41", "R58", refuses=True)
async def test_a_redacted_copy_is_drawn_made_and_watched_in_the_browser(case: Case, custodian: Browser) -> None:
    desk = case.desk
    [copy] = desk.rows(Copy)
    edit = f"/copies/{copy.id}/redact"
    assert f'{edit}"' in (await custodian.get(f"/matters/new/redaction?case={case.id}")).text

    unconfirmed = await custodian.send(edit)
    assert unconfirmed.status_code == 422
    editor = await custodian.send(edit, purposeConfirmed="true", recipe=json.dumps(RECIPE), reason="申请复制。")
    assert editor.status_code == 200
    assert "keep-one" in editor.text
    assert len(desk.rows(Viewing)) == 1
    ask = {"copyId": copy.id, "reason": "申请复制。"}
    refused = await custodian.send(f"/matters/new/redaction?case={case.id}", **ask, recipe='{"regions": []}')
    assert refused.status_code == 422
    assert "draw the boxes there again" in refused.text
    sent = await custodian.send(f"/matters/new/redaction?case={case.id}", **ask, recipe=json.dumps(RECIPE))
    assert sent.status_code == 303

    [matter], [row] = desk.rows(Matter), desk.rows(Derivative)
    assert "waiting for its turn" in (await custodian.get(f"/matters/{matter.id}")).text
    watch, api = f"/derivatives/{row.id}/watch", f"/api/derivatives/{row.id}"
    assert "not made yet" in (await custodian.get(watch)).text
    maker = RedactionMaker(
        *(desk.database, desk.store, desk.loan_keys),
        lambda: desk.signer,
        lease=Lease(desk.database, redactions.LEASE, redactions.LENGTH),
    )
    assert await maker.run()
    page = (await custodian.get(f"/matters/{matter.id}")).text
    assert watch in page
    told = (await custodian.get(api)).json()
    assert (told["state"], told["watchedShare"], told["progress"]) == ("made", 0.0, 1.0)

    player = await custodian.send(watch, purposeConfirmed="true")
    assert "Still unwatched" in player.text
    [viewing] = desk.rows(DerivativeViewing)
    played = f"{api}/viewings/{viewing.id}/played"
    length = told["unwatched"][-1]["endMs"]
    desk.clock.turn(timedelta(minutes=1))
    # nothing was read yet, so that nothing was seen
    left = (await custodian.post(played, startMs=0, lengthMs=length)).json()
    assert left["watchedShare"] == 0.0
    content = await custodian.get(f"{api}/content?viewing={viewing.id}")
    assert content.status_code == 200
    assert (await custodian.get(f"{api}/playlist.m3u8?viewing={viewing.id}")).text.startswith("#EXTM3U")
    desk.clock.turn(timedelta(minutes=1))
    half = (await custodian.post(played, startMs=0, lengthMs=length // 2)).json()
    assert 0.4 < half["watchedShare"] < 0.6
    assert half["unwatched"] == [{"startMs": length // 2, "endMs": length}]
    whole = (await custodian.post(played, startMs=length // 2, lengthMs=length)).json()
    assert (whole["watchedShare"], whole["unwatched"]) == (1.0, [])
    fast = await custodian.post(played, startMs=0, lengthMs=60_000)
    for _ in range(6):
        fast = await custodian.post(played, startMs=0, lengthMs=60_000)
    assert fast.status_code == 409

    stranger = await Browser.of(desk, "stranger")
    for path in (watch, api, f"{api}/content?viewing={viewing.id}", edit):
        assert (await stranger.get(path)).status_code == 404
    await stranger.client.aclose()
