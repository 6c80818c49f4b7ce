"""Reviews that end without an answer: nobody is asked what no process waits for any more (R22).

A case goes on without an answer for two reasons. The database knows the first itself: a decision, a correction or the
filing has made the question past (``permissions.passed``). Only the engine knows the second: the branch of the process
that asked has ended, by an interrupting event, a terminate end or a person.

A review whose process has come to its own end is another matter: it was told of an answer that the database does not
have. Who may decide still can, so that whoever repairs the process finds the decision. The engine of this process tells
the two apart; over gRPC nobody can, and there such a review is closed too.
"""

import asyncio
import sqlite3
from collections.abc import Collection
from datetime import timedelta

from sqlalchemy import case, select
from sqlalchemy.exc import SQLAlchemyError

from services.database.tables.applications import Application
from services.database.tables.matters import Matter
from services.database.tables.reviews import BRANCH_ENDED, PASSED, Review
from services.database.unit_of_work import Actor, Database, UnitOfWork
from services.domain.process import permissions
from services.domain.process.engine_view import EngineInspection, InstanceAnswer
from services.domain.process.instances import Look
from services.domain.reviews import tasks
from services.runtime.engine_client import EngineClient
from services.runtime.errors import Fatal, Retryable
from services.runtime.logs import get_logger

log = get_logger(__name__)
ACTOR = Actor("system", "ended-reviews")
ANSWER_SECONDS = 2.0  # that a decision waits for the engine
AT_ONCE = 2000  # open reviews of which one look asks the engine
# An engine hands a job out, and ends its branch, before the transaction that opens the review is over.
SETTLED = timedelta(minutes=1)
# The process instance that has called the review: that of its matter, else that of its case.
ASKING = case((Review.matter_id.is_(None), Application.process_instance_key), else_=Matter.process_instance_key)


def close_passed(uow: UnitOfWork, application_id: str) -> None:
    """Close the open reviews of the case whose answer would change nothing any more."""
    query = select(Review).where(
        Review.application_id == application_id, Review.matter_id.is_(None), Review.closed_at.is_(None)
    )
    reviews = uow.session.scalars(query.with_for_update()).all()
    if not reviews:
        return
    state = permissions.lock(uow, application_id, "close what is asked no more")
    for review in reviews:
        if permissions.passed(state, review):
            tasks.close(uow, review, PASSED)


async def close_of_ended_instances(database: Database, instance_keys: Collection[int]) -> list[str]:
    """Close the open reviews whose own process instances have ended; return their ids."""
    if not await database.read(ACTOR, _list_of_instances, instance_keys):
        return []
    return await database.run(ACTOR, _close_of_instances, instance_keys)


def _list_of_instances(uow: UnitOfWork, instance_keys: Collection[int]) -> list[str]:
    query = select(Review.application_id).where(
        Review.closed_at.is_(None), Review.process_instance_key.in_(instance_keys)
    )
    return sorted(set(uow.session.scalars(query)))


def _close_of_instances(uow: UnitOfWork, instance_keys: Collection[int]) -> list[str]:
    cases = _list_of_instances(uow, instance_keys)
    locked = select(Application.id).where(Application.id.in_(cases)).order_by(Application.id)
    uow.session.execute(locked.with_for_update())
    query = select(Review).where(Review.closed_at.is_(None), Review.process_instance_key.in_(instance_keys))
    reviews = uow.session.scalars(query.with_for_update()).all()
    for review in reviews:
        tasks.close(uow, review, BRANCH_ENDED)
    return [review.id for review in reviews]


class EndedBranches:
    """Asks any engine whether the processes of open reviews still run, and closes those that do not.

    A broker tells nobody that it has ended a branch, so that each open review is asked for, ``AT_ONCE`` in a look, the
    next look beginning where the last one ended. A review whose whole case the engine does not have stays: such a case
    stands still, for which there is an alert (``process.instances``), and is not one that has gone on.
    """

    def __init__(self, database: Database, client: EngineClient, engine: EngineInspection | None = None) -> None:
        """``engine`` is the engine of this process, where it has one."""
        self._database = database
        self._client = client
        self._engine = engine
        self._after = ""

    async def close_ended(self) -> list[str]:
        """Close the reviews whose branch has ended; return their ids. Raises Retryable without an engine.

        One that a part of the engine is not heard about stays.
        """
        asked = await self._database.read(ACTOR, _list_open, self._after)
        self._after = asked[-1][0] if len(asked) == AT_ONCE else ""
        look = Look(self._client)
        ended = [own for _, own, of_case in asked if await _has_ended(own, of_case, look, self._engine)]
        look.end()
        closed = await close_of_ended_instances(self._database, ended) if ended else []
        if closed:
            log.info("closed reviews whose branch has ended", reviews=len(closed))
        return closed


async def close_if_ended(
    database: Database, client: EngineClient | None, review_id: str, engine: EngineInspection | None = None
) -> None:
    """Close a review that somebody is about to decide if no process waits for it; without an answer leave it open.

    A decision does not wait for an engine that is away.
    """
    keys = await database.read(ACTOR, _find_open, review_id) if client is not None else None
    if client is None or keys is None:
        return
    own, of_case = keys
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            look = Look(client)
            ended = await _has_ended(own, of_case, look, engine)
            look.end()
    except (Retryable, Fatal, TimeoutError, SQLAlchemyError, sqlite3.Error, OSError) as error:
        log.warning("the engine did not say whether it waits for a review", cause=str(error) or type(error).__name__)
        return
    if ended:
        await close_of_ended_instances(database, [own])


async def _has_ended(own: int, of_case: int, look: Look, engine: EngineInspection | None) -> bool:
    """Return whether the engine has ended the process of a review, while that of its case goes on."""
    if await look.has_instance(own) is not False or not await look.has_instance(of_case):
        return False
    found = await engine.instance(own) if engine is not None else None
    return found is None or InstanceAnswer.model_validate(found).process_instance.state == "terminated"


def _find_open(uow: UnitOfWork, review_id: str) -> tuple[int, int] | None:
    query = (
        select(Review.process_instance_key, ASKING)
        .join(Application, Application.id == Review.application_id)
        .outerjoin(Matter, Matter.id == Review.matter_id)
        .where(Review.id == review_id, Review.closed_at.is_(None), ASKING.is_not(None))
    )
    row = uow.session.execute(query).one_or_none()
    return None if row is None or row[1] is None else (row[0], row[1])


def _list_open(uow: UnitOfWork, after: str) -> list[tuple[str, int, int]]:
    """List id, own process instance and that of the case of open reviews, by id."""
    query = (
        select(Review.id, Review.process_instance_key, ASKING)
        .join(Application, Application.id == Review.application_id)
        .outerjoin(Matter, Matter.id == Review.matter_id)
        .where(
            Review.closed_at.is_(None),
            Review.id > after,
            Review.opened_at < uow.now - SETTLED,
            case((Review.matter_id.is_(None), Application.closed_at), else_=Matter.closed_at).is_(None),
            ASKING.is_not(None),
        )
        .order_by(Review.id)
        .limit(AT_ONCE)
    )
    return [(review_id, own, of_case) for review_id, own, of_case in uow.session.execute(query) if of_case is not None]
