"""A CSV file of a list that is longer than the longest file says so, in its name and in its last line."""

import csv
import io
from collections.abc import Mapping
from urllib.parse import unquote

import pytest
from portal_client import Portal
from review_desk import ReviewDesk

from services.web import lists

EXPORTS = {
    "/register?form=csv": "security-head",
    "/applications.csv": "drafter",
    "/inbox.csv": "head",
    "/notices?form=csv": "head",
}


async def exported(portal: Portal) -> Mapping[str, tuple[str, list[list[str]]]]:
    """The name and the lines without the header of each export, by its address."""
    found = {}
    for address, login in EXPORTS.items():
        answer = await (await portal.signed_in(login)).get(address)
        assert answer.status_code == 200, address
        name = unquote(answer.headers["content-disposition"].partition("UTF-8''")[2])
        lines = list(csv.reader(io.StringIO(answer.text.removeprefix("\ufeff"))))
        assert {len(line) for line in lines} == {len(lines[0])}, address
        found[address] = name, lines[1:]
    return found


@pytest.fixture
def cases(desk: ReviewDesk) -> None:
    for _ in range(3):
        desk.opened(desk.submitted(), "preliminary")


@pytest.mark.usefixtures("cases")
@pytest.mark.requirement("R61", refuses=True)
async def test_an_export_that_is_cut_says_so_and_is_not_taken_for_the_whole(
    portal: Portal, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = await exported(portal)
    for address, (name, lines) in whole.items():
        assert len(lines) == 3, address
        assert "仅" not in name + str(lines), address

    monkeypatch.setattr(lists, "MOST_ROWS", 2)

    for address, (name, lines) in (await exported(portal)).items():
        assert name == whole[address][0].replace(".csv", "（仅前 2 行）.csv"), address
        assert lines[:2] == whole[address][1][:2], address
        assert [line[0] for line in lines[2:]] == ["仅含前 2 行：还有更多，请缩小检索范围。"], address

    monkeypatch.setattr(lists, "MOST_ROWS", 3)
    assert await exported(portal) == whole
