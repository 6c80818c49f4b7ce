"""An offer and the end of its custodian's account come one after the other, whichever is first (R46)."""

from pathlib import Path
from typing import Any

import pytest
from custody_desk import Desk
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from services.database.engine import connect
from services.domain.custody import copies, hand_overs

# SQLite has one writer at a time
ON_POSTGRES = pytest.mark.parametrize(
    "any_database_url", [pytest.param("postgres", marks=pytest.mark.postgres)], indirect=True
)


@ON_POSTGRES
@pytest.mark.requirement("R46")
def test_the_account_stays_while_copies_are_offered_to_it(
    tmp_path: Path, filmed: Path, any_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = Desk(tmp_path / "desk", filmed, database_url=any_database_url)
    listing, blocked = copies.list_in_scope, []

    def while_offering(*arguments: Any) -> Any:
        with connect(any_database_url).connect() as other:
            try:
                other.execute(text("SELECT id FROM people WHERE id = 'custodian' FOR UPDATE NOWAIT"))
            except OperationalError:
                blocked.append(True)
        return listing(*arguments)

    monkeypatch.setattr(hand_overs.copies, "list_in_scope", while_offering)
    case = desk.case("gate").approve()

    desk.do(desk.lend_on_paper, case)

    desk.database.close()
    assert blocked, "an administrator would have ended the account between the check and the offer"
