"""An application on behalf of an authority: two officers with a letter, drafted and held by Security's inspector."""

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

from review_desk import FORM, NOON, ReviewDesk

from services.database.tables.agreements import Agreement
from services.database.tables.people import Department, Person, Post
from services.database.unit_of_work import UnitOfWork
from services.domain.applications import on_behalf
from services.domain.applications import service as application_service
from services.domain.applications.on_behalf import Letter, Named

DRAFTER = "inspector"  # of Security; reviewer2 checks the credentials, reviewer reviews, security-head signs
LETTER = Letter("调取证据通知书", "沪公调证字〔2031〕12号", date(2031, 3, 3), seal_checked=True)
OFFICERS = (
    Named("李警官", "市公安局", "police-card", "012345", "021-5550100"),
    Named("周警官", "市公安局", "police-card", "067890", "021-5550101"),
)
STAGES = (("credentials", "reviewer2"), ("security", "reviewer"), ("security-signature", "security-head"))


def add_legal(desk: ReviewDesk) -> None:
    """A department of Legal with its head, ``counsel``."""

    def act(uow: UnitOfWork) -> None:
        since = NOON - timedelta(days=365)
        uow.session.add(Department(id="legal", name_zh="legal", name_en="legal", kind="legal", superior_id="board"))
        uow.session.flush()
        head = uow.session.get_one(Person, "head")
        person = Person(id="counsel", login="counsel", name="counsel", department_id="legal")
        person.password_hash = head.password_hash
        uow.session.add(person)
        uow.session.flush()
        uow.session.add(Post(person_id="counsel", department_id="legal", kind="head", since=since))
        agreed = {"version": uow.rules.agreement_version, "expires_at": NOON + timedelta(days=365)}
        uow.session.add(Agreement(person_id="counsel", signed_at=since, **agreed))

    desk.run(act)


def drafted(
    desk: ReviewDesk,
    by: str = DRAFTER,
    *,
    kind: str = "authority",
    letter: Letter = LETTER,
    people: tuple[Named, ...] = OFFICERS,
    **changes: Any,
) -> str:
    """A draft on behalf of outsiders; ``changes`` are of the form."""

    def act(uow: UnitOfWork) -> str:
        form = replace(FORM, **{"custodian_id": by, **changes})
        application_id = application_service.create_draft(uow, form).id
        on_behalf.set_kind(uow, application_id, kind, letter)
        for person in people:
            on_behalf.add(uow, application_id, person)
        return application_id

    return desk.run(act, by=by)


def submitted(desk: ReviewDesk, **named: Any) -> str:
    application_id = drafted(desk, **named)
    desk.run(application_service.submit, application_id, by=named.get("by", DRAFTER))
    return application_id
