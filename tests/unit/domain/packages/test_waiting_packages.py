"""One person waits for a few evidence packages at a time, also where two are asked for at once (R58)."""

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from threading import Barrier, BrokenBarrierError
from typing import Any

import pytest
from at_once import at_once
from review_desk import ReviewDesk

from services.database.tables.applications import Application
from services.database.tables.documents import Document
from services.database.tables.evidence_packages import EvidencePackage
from services.database.unit_of_work import UnitOfWork
from services.domain.packages import policy, service
from services.domain.packages.service import Asked
from services.runtime.errors import Refused

BY = "reviewer"


def filed(desk: ReviewDesk) -> str:
    """The number of a case whose form is filed."""
    application_id = desk.submitted()

    def act(uow: UnitOfWork) -> str:
        number = str(uow.session.get_one(Application, application_id).number)
        form = {"kind": "application-form", "content": "{}", "sha256": "x", "made_at": uow.now, "demo": False}
        uow.session.add(Document(number=f"form-{number}", application_id=application_id, **form))
        return number

    return desk.run(act)


def asking(number: str) -> Callable[..., EvidencePackage]:
    asked = Asked(number, policy.HASH, "inside", "内部调查组", "核对事件经过")
    return partial(service.ask, asked=asked, log_keys=())


@pytest.mark.both_databases
@pytest.mark.requirement("R58", refuses=True)
def test_of_two_packages_that_are_asked_for_at_once_the_last_allowed_one_is_made(
    any_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk, both, record = ReviewDesk(any_database_url), Barrier(2), service._record
    acts = [asking(filed(desk)) for _ in range(policy.MOST_WAITING + 1)]
    for act in acts[:-2]:
        desk.run(act, by=BY)

    def record_together(*arguments: Any, **named: Any) -> None:
        """Wait for the other one to have counted as well; in vain where it waits for this one to end."""
        with suppress(BrokenBarrierError):
            both.wait(timeout=1)
        record(*arguments, **named)

    monkeypatch.setattr(service, "_record", record_together)
    ended = at_once(*(partial(desk.run, act, by=BY) for act in acts[-2:]))
    there = desk.all(EvidencePackage)
    desk.close()

    [refusal] = [one for one in ended if isinstance(one, Exception)]
    assert isinstance(refusal, Refused)
    assert (refusal.code, len(there)) == ("packages-enough", policy.MOST_WAITING)
