"""Acts of an administrator that need a second person: asked for, confirmed by Security's head, carried out."""

from collections.abc import Callable
from typing import Any

import pytest
from review_desk import ReviewDesk
from sqlalchemy import select

from services.database.tables.change_requests import ChangeRequest
from services.database.unit_of_work import Actor, UnitOfWork
from services.domain.accounts import staff
from services.domain.accounts.staff import InitialPassword
from services.domain.change_requests import service as change_requests
from services.runtime.errors import Refused


def asked(desk: ReviewDesk, act: Callable[..., Any], *args: Any, by: str = "admin", **named: Any) -> str:
    """The id of the request that the act has left."""
    with pytest.raises(Refused) as refused:
        desk.run(act, *args, by=by, **named)
    assert refused.value.code == "second-person-needed", refused.value
    return newest(desk)


def newest(desk: ReviewDesk) -> str:
    return desk.run(_newest)


def confirmed(
    desk: ReviewDesk,
    act: Callable[..., Any],
    *args: Any,
    by: str = "admin",
    second: str = "security-head",
    **named: Any,
) -> Any:
    """What the act returns after somebody else has confirmed it."""
    desk.run(change_requests.confirm, asked(desk, act, *args, by=by, **named), by=second)
    return desk.run(act, *args, by=by, **named)


async def confirmed_password(desk: ReviewDesk, person_id: str, second: str = "security-head") -> InitialPassword:
    """A new first password of somebody who decides."""
    with pytest.raises(Refused):
        await staff.reset_password(desk.database, Actor("person", "admin"), person_id)
    desk.run(change_requests.confirm, newest(desk), by=second)
    return await staff.reset_password(desk.database, Actor("person", "admin"), person_id)


def _newest(uow: UnitOfWork) -> str:
    query = select(ChangeRequest.id).where(ChangeRequest.outcome.is_(None)).order_by(ChangeRequest.requested_at.desc())
    return uow.session.scalars(query).first() or ""
