"""What people do in a whole case, by the register's own functions; each waits until it can be done."""

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from datetime import timedelta
from typing import Any

from case_invariants import problems
from sqlalchemy import select
from whole_desk import Desk

from services.database.tables.applications import Application
from services.database.tables.audit import AuditEvent
from services.database.tables.custody import HandOver
from services.database.tables.notices import Notice
from services.database.tables.outbox import OutboxMessage
from services.database.tables.people import Person
from services.database.tables.reviews import Review
from services.database.unit_of_work import Actor, UnitOfWork
from services.demo.organisation import demo_id
from services.domain.access import policy as access_policy
from services.domain.access import queries as access_queries
from services.domain.accounts.signatures.given import Proof
from services.domain.applications import forms
from services.domain.applications import service as application_service
from services.domain.applications.forms import Form, ItemAsked
from services.domain.custody import copies, hand_overs, returns
from services.domain.custody.returns import AttestedFate
from services.domain.retrieval.preservations import items_in_scope
from services.domain.reviews import service as review_service
from services.domain.reviews.service import Decided
from services.domain.stages.catalogue import STAGES
from services.runtime.spans import Span

DRAFTER, CUSTODIAN = "lina", "liuyang"
FORM = Form(
    reason="三号门货物丢失，需要确认经过",
    purpose="核对出入库人员与时间的记录",
    purpose_category="security-incident",
    legal_basis="internal-management",
    way_of_use="view",
    way_of_use_because="须逐帧放大核对，在线查看不够。",
    place_of_use="安全保卫部办公室",
    requested_use_days=10,
    custodian_id=demo_id(CUSTODIAN),
    items=(),
)


class People(Desk):
    """A desk at which people sit. Applications are named by their ids."""

    async def as_person(self, login: str, act: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
        return await self.database.run(Actor("person", demo_id(login)), act, *arguments, **named)

    def form(self, *channels: str, span: Span | None = None, **changes: Any) -> Form:
        """A complete form that asks for one span of these channels."""
        asked = span or self.footage.asked
        items = tuple(ItemAsked(demo_id(channel), asked.start, asked.end, "Asia/Shanghai") for channel in channels)
        return replace(FORM, items=items, **changes)

    async def apply(self, *channels: str, by: str = DRAFTER, **changes: Any) -> str:
        """Draft and submit; the application's id."""
        application = await self.as_person(by, application_service.create_draft, self.form(*channels, **changes))
        await self.as_person(by, application_service.submit, application.id)
        return str(application.id)

    async def correct(self, application_id: str, *channels: str, **changes: Any) -> None:
        """Correct a returned application, once it is to be corrected."""

        def returned(uow: UnitOfWork) -> bool:
            return uow.session.get_one(Application, application_id).correction_until is not None

        await self.until(returned, "the time to correct")
        await self.as_person(DRAFTER, application_service.correct, application_id, self.form(*channels, **changes))

    async def withdraw(self, application_id: str) -> None:
        await self.as_person(DRAFTER, application_service.withdraw, application_id, "不再需要")

    async def review(self, application_id: str, stage: str | None = None) -> Review:
        """Wait for the case's open review, of this stage."""

        def open_one(uow: UnitOfWork) -> Review | None:
            query = select(Review).where(Review.application_id == application_id, Review.closed_at.is_(None))
            return uow.session.scalar(query.where(Review.stage == stage) if stage else query)

        return await self.until(open_one, f"the review {stage or 'of any stage'}")  # type: ignore[return-value]

    def candidates(self, review: Review) -> list[str]:
        """The logins of who may decide it now."""

        def read(uow: UnitOfWork) -> list[str]:
            ids = access_policy.candidates(
                access_queries.load_directory(uow), access_queries.load_facts(uow, review.application_id), review
            )
            return [uow.session.get_one(Person, one).login for one in ids]

        return self.look(read)

    def proof(self, application_id: str, login: str) -> Proof:
        def read(uow: UnitOfWork) -> str:
            revision = forms.current_revision(uow, application_id)
            assert revision is not None
            return revision.sha256

        return Proof(self.look(read), f"demo-{login}")

    async def decide(
        self, application_id: str, stage: str, outcome: str | None = None, *, by: str | None = None, **named: Any
    ) -> Decided:
        """Decide the stage's review, favourably unless told otherwise, as somebody who may."""
        review = await self.review(application_id, stage)
        login = by or self.candidates(review)[0]
        given: dict[str, Any] = {
            "outcome": outcome or STAGES[stage].favourable,
            "answers": {question.code: True for question in STAGES[stage].questions},
            "reason": "理由见附件说明",
            "opinion": "同意所列意见",
            "proof": self.proof(application_id, login),
            **named,
        }
        decided: Decided = await self.as_person(login, review_service.decide, review.id, **given)
        return decided

    async def confirm(self, application_id: str, *, agrees: bool = True) -> Decided:
        """The second person's word on a release."""
        review = await self.review(application_id, "storage-release")

        def fit(uow: UnitOfWork) -> list[str]:
            facts = access_queries.load_facts(uow, review.application_id)
            able = access_policy.second_people(access_queries.load_directory(uow), facts, review)
            return [uow.session.get_one(Person, one).login for one in able]

        login = self.look(fit)[0]
        decided: Decided = await self.as_person(
            login,
            review_service.confirm,
            review.id,
            agrees=agrees,
            reason=None if agrees else "时间段与批准的不符",
            proof=self.proof(application_id, login),
        )
        return decided

    async def reach(self, application_id: str, stage: str) -> Review:
        """Have every review decided favourably until this stage's is open."""
        while (review := await self.review(application_id)).stage != stage:
            decided = await self.decide(application_id, review.stage)
            if not decided.published:
                await self.confirm(application_id)
        return review

    def hand_over(self, application_id: str) -> HandOver:
        """The hand-over of the newest issue."""
        newest = select(HandOver).filter_by(application_id=application_id).order_by(HandOver.issue.desc()).limit(1)
        row = self.look(lambda uow: uow.session.scalar(newest))
        assert row is not None
        return row

    async def accept(self, application_id: str, by: str = CUSTODIAN) -> HandOver:
        """Bring the case to the receipt, and accept the copies."""
        await self.reach(application_id, "receipt")
        accepted: HandOver = await self.as_person(
            by,
            hand_overs.accept,
            self.hand_over(application_id).id,
            conditions_version=self.database.rules.policy_version,
            proof=self.proof(application_id, by),
        )
        await self.quiet()
        return accepted

    async def decline(self, application_id: str) -> None:
        await self.reach(application_id, "receipt")
        await self.as_person(
            CUSTODIAN,
            hand_overs.decline,
            self.hand_over(application_id).id,
            reason="已不需要",
            proof=self.proof(application_id, CUSTODIAN),
        )

    async def give_back(self, application_id: str, return_to: str = "security", *, without: str = "") -> None:
        """Return the copies, every download is said to be destroyed; ``without`` a message that is not heard."""
        hand_over = self.hand_over(application_id)
        downloads = self.look(copies.list_downloads, hand_over.id)
        await self.as_person(
            CUSTODIAN,
            unheard(without, returns.return_copies),
            hand_over.id,
            return_to=return_to,
            fates=[AttestedFate(one.id, "destroyed") for one in downloads],
            no_other_copies=True,
            proof=self.proof(application_id, CUSTODIAN),
        )

    async def report_loss(self, application_id: str) -> None:
        await self.as_person(
            CUSTODIAN,
            hand_overs.report_loss,
            self.hand_over(application_id).id,
            kind="lost",
            what_happened="存有副本的电脑在外出途中遗失。",
        )

    async def returned(self, application_id: str) -> None:
        """From the open loan to the archive."""
        await self.give_back(application_id)
        await self.decide(application_id, "return-inspection")
        await self.closed(application_id, "footage-re-archived")

    async def closed(self, application_id: str, outcome: str) -> None:
        """Wait until the case has ended so, with nothing left over in register, vault and engine."""

        def over(uow: UnitOfWork) -> bool:
            return uow.session.get_one(Application, application_id).closed_at is not None

        await self.until(over, f"the end {outcome}")
        # A message whose taking nothing proves is published again for a while.
        await self.turn(minutes=2)
        found: list[str] = []

        def clean(uow: UnitOfWork) -> bool:
            found[:] = problems(
                uow,
                application_id,
                outcome,
                store=self.container.store,
                replica=self.container.replica_store,
                loan_keys=self.loan_keys(),
            )
            return not found

        try:
            await self.until(clean, f"a clean end as {outcome}")
        except AssertionError as error:
            raise AssertionError("\n".join([*found, str(error)])) from None
        if self.is_traced:
            instance = self.application(application_id).process_instance_key
            await self.until(lambda _uow: instance in self.trace.ended, "the end of the process")
            assert instance not in self.trace.running
            assert self.trace.outcomes[instance] == outcome
            assert not self.trace.incidents

    def application(self, application_id: str) -> Application:
        return self.look(lambda uow: uow.session.get_one(Application, application_id))

    def items(self, application_id: str) -> Sequence[Any]:
        return self.look(items_in_scope, application_id)

    def rows(self, table: type, **where: Any) -> list[Any]:
        return self.look(lambda uow: list(uow.session.scalars(select(table).filter_by(**where))))

    def events(self, action: str) -> list[AuditEvent]:
        return self.rows(AuditEvent, action=action)

    def notices(self, login: str, code: str) -> list[Notice]:
        return self.rows(Notice, person_id=demo_id(login), code=code)


def unheard(message: str, act: Callable[..., Any]) -> Callable[..., Any]:
    """The same act, of which these messages do not get through for ten days."""

    def within(uow: UnitOfWork, *arguments: Any, **named: Any) -> Any:
        result = act(uow, *arguments, **named)
        uow.session.flush()
        for row in uow.session.scalars(select(OutboxMessage).filter_by(name=message, settled_at=None)):
            row.next_at = uow.now + timedelta(days=10)
        return result

    return within


# ``async with a_desk(**settings) as desk``
OpenDesk = Callable[..., AbstractAsyncContextManager[People]]
