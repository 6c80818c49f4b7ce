"""Disposal: only what is past its retention and held by nothing, by two people of two departments, item by item."""

import io
import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import pytest
from archived_case import CONFIRMER, PROPOSER, DisposalDesk, archived, further
from bad_disk import bad_disk
from prepared_desk import prepared_desk
from review_desk import PASSWORD
from sqlalchemy import select, update
from statements import statements

from services.database.keyset import Page
from services.database.listing import Listing
from services.database.tables.applications import Application, Item
from services.database.tables.copies import Copy
from services.database.tables.custody import HandOver
from services.database.tables.disposals import DisposalItem
from services.database.tables.documents import Document
from services.database.tables.holds import Hold
from services.database.tables.masters import Master
from services.database.tables.matters import Matter
from services.database.tables.people import Post
from services.database.tables.violations import Hearing
from services.database.unit_of_work import UnitOfWork
from services.domain.accounts.signatures.given import Proof
from services.domain.applications.forms import ItemAsked
from services.domain.cases.document_layouts import render_page
from services.domain.custody import disposals as custody_disposals
from services.domain.custody import log
from services.domain.custody.retention_periods import kept_for
from services.domain.documents import service as document_service
from services.domain.matters import held as legal_holds
from services.domain.matters import queries as matter_queries
from services.domain.matters import service as matters
from services.domain.reviews import service as review_service
from services.domain.storage import disposals
from services.runtime.errors import NotFound, NotPermitted, Refused
from services.vault.store.protocol import Store, StoreDown
from services.workers import list_disposals

THIRTY_ONE_DAYS = timedelta(days=31)
MOMENT = "2031-03-04T12:00:00Z"


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[DisposalDesk]:
    desk, ids = prepared_desk(f"sqlite:///{tmp_path / 'books.db'}", archived)
    yield DisposalDesk(desk, ids).stored(tmp_path)
    desk.close()


@pytest.fixture
def desk_of_each(any_database_url: str, tmp_path: Path) -> Iterator[DisposalDesk]:
    """The same on each kind of database."""
    desk, ids = prepared_desk(any_database_url, archived)
    yield DisposalDesk(desk, ids).stored(tmp_path)
    desk.close()


def accuse(desk: DisposalDesk, application_id: str, *, ended: str = "upheld") -> None:
    """Accuse the proposer in a violation of the case that was decided: an open one holds the case anyway."""

    def act(uow: UnitOfWork) -> None:
        matter = Matter(number="WG-2031-000001", kind="violation", application_id=application_id, closed_as=ended)
        matter.opened_at = matter.closed_at = uow.now
        matter.facts, matter.facts_sha256 = {}, "0" * 64
        uow.session.add(matter)
        uow.session.flush()
        uow.session.add(Hearing(matter_id=matter.id, person_id=PROPOSER, part="accused"))

    desk.desk.run(act)


class Failing:
    """A store that is away after so many deletions."""

    def __init__(self, store: Store, deletions: int) -> None:
        self._store, self._left = store, deletions

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def delete(self, bucket: str, key: str, version_id: str) -> bool:
        if not self._left:
            raise StoreDown("away")
        self._left -= 1
        return self._store.delete(bucket, key, version_id)


class Interrupted:
    """A store behind whose first deletion something happens."""

    def __init__(self, store: Store, then: Callable[[], None]) -> None:
        self._store, self._then = store, then

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def delete(self, bucket: str, key: str, version_id: str) -> bool:
        deleted = self._store.delete(bucket, key, version_id)
        then, self._then = self._then, lambda: None
        then()
        return deleted


def hold(desk: DisposalDesk, reason: str = "还在调查") -> None:
    number = str(desk.desk.the(Application, id=desk.application_id).number)
    desk.desk.run(legal_holds.place, number, cause="manual", reason=reason, by="security-deputy")


@pytest.mark.requirement("R52", refuses=True)
async def test_t13_what_two_people_have_agreed_on_is_deleted_at_both_places_and_its_list_written(
    desk_of_each: DisposalDesk,
) -> None:
    desk = desk_of_each
    assert len(desk.left()) == 4
    assert (await list_disposals.handle(list_disposals.Command(1), desk.desk.database)).disposals_listed == 1
    assert desk.list_due() == 0  # once
    with pytest.raises(NotPermitted, match="the stage disposal has not decided"):
        desk.apply(desk.batch)
    await desk.disposer().run()
    assert len(desk.left()) == 4

    desk.agree()
    assert desk.apply(desk.batch)
    assert desk.apply(desk.batch)
    assert (desk.states, len(desk.left())) == (["due"], 4)
    await desk.disposer().run()

    assert (desk.states, desk.left()) == (["deleted"], [])
    copy, master = desk.desk.the(Copy), desk.desk.the(Master)
    assert desk.keys.gone == [copy.id]
    assert None not in (copy.key_destroyed_at, copy.discarded_at, master.discarded_at)
    results = [(one["place"], one["what"], one["answer"]) for one in desk.items[0].results or ()]
    assert results == [
        ("vault", "copy", "deleted"),
        ("replica", "replica", "deleted"),
        ("vault", "label", "deleted"),
        ("vault", "master", "deleted"),
    ]
    document = desk.desk.the(Document, kind="disposal")
    assert (document.number[:3], document.application_id) == ("XH-", None)
    read = desk.desk.run(document_service.read_document, document.number, "page", by="supervisor")
    assert "已销毁" in render_page("disposal", read.number, read.sha256, json.loads(read.content))
    await desk.disposer().run()
    assert desk.list_due() == 0


@pytest.mark.requirement("R52", refuses=True)
@pytest.mark.requirement("R67")
async def test_what_is_held_is_neither_listed_nor_deleted_after_it_was_listed(desk: DisposalDesk) -> None:
    hold(desk)
    assert desk.list_due() == 0
    desk.change(Application, desk.application_id)
    desk.desk.run(_lift)
    assert desk.list_due() == 1

    desk.agree()
    assert desk.apply(desk.batch)
    hold(desk, "又有来函")  # after both have signed
    await desk.disposer().run()
    assert (desk.states, len(desk.left())) == (["held"], 4)
    assert desk.items[0].because == "manual"
    assert desk.keys.gone == []
    assert "因保留未销毁" in desk.desk.the(Document, kind="disposal").content or desk.desk.the(
        Document, kind="disposal"
    )

    desk.desk.run(_lift)
    assert desk.list_due() == 1  # in a batch of its own


@pytest.mark.requirement("R52", refuses=True)
@pytest.mark.requirement("R40")
async def test_what_an_open_application_asks_for_is_kept_until_it_has_it_or_is_over(desk: DisposalDesk) -> None:
    desk.list_due()
    desk.agree()
    assert desk.apply(desk.batch)
    [asked] = desk.desk.all(Item, application_id=desk.application_id)
    again = desk.desk.submitted(items=(ItemAsked(asked.camera_id, asked.asked_start, asked.asked_end, asked.zone),))
    # what concerns anybody serves no other case, and is not kept for it
    assert desk.desk.run(custody_disposals.count_due)[0] == 1
    desk.change(Application, desk.application_id, subject_ids=[], importance="important")
    desk.change(Application, again, importance="ordinary")
    assert desk.desk.run(custody_disposals.count_due)[0] == 1
    desk.change(Application, again, importance=None)
    # nor what was questioned, which says nothing of other cases
    questioned = Matter(number="WT-1", kind="problem", application_id=again, facts={}, facts_sha256="")
    questioned.opened_at = desk.desk.clock.now()
    desk.desk.run(lambda uow: uow.session.add(questioned))
    assert desk.desk.run(custody_disposals.count_due)[0] == 0

    await desk.disposer().run()

    # the list does not say that there is such an application: it may concern who reads it
    assert (desk.states, desk.items[0].because, len(desk.left())) == (["held"], "held", 4)
    assert desk.list_due() == 0
    assert desk.desk.run(custody_disposals.count_due)[0] == 0
    desk.change(Application, again, closed_at=desk.desk.clock.now(), closed_as="rejected")
    assert desk.list_due() == 1


@pytest.mark.requirement("R52", refuses=True)
@pytest.mark.requirement("R67")
async def test_a_hold_between_two_deletions_keeps_what_is_left_and_says_what_was_gone(desk: DisposalDesk) -> None:
    desk.list_due()
    desk.agree()
    desk.apply(desk.batch)

    for _ in range(2):
        await desk.disposer(store=cast(Store, Interrupted(desk.store, lambda: hold(desk)))).run()

    copy, master, [item] = desk.desk.the(Copy), desk.desk.the(Master), desk.items
    assert (desk.states, item.because, len(desk.left())) == (["held"], "manual", 3)
    assert [(one["place"], one["what"], one["answer"]) for one in item.results or ()] == [("vault", "copy", "deleted")]
    assert (desk.keys.gone, copy.discarded_because, master.discarded_at) == ([copy.id], "disposal", None)
    document = desk.desk.the(Document, kind="disposal")
    page = render_page("disposal", document.number, document.sha256, json.loads(document.content))
    assert "删除中被保留" in page
    assert "副本：已删除" in page
    assert "主档：已删除" not in page


def _lift(uow: UnitOfWork) -> None:
    for row in uow.session.query(Hold):
        row.lifted_at = uow.now
    for master in uow.session.query(Master):
        master.held_since = master.lock_due_since = None
        master.retain_until = uow.now - timedelta(days=1)


@pytest.mark.requirement("R52", refuses=True)
def test_nobody_decides_twice_and_nobody_of_one_department_both(desk: DisposalDesk) -> None:
    assert desk.list_due() == 1
    batch = desk.batch
    desk.check(batch)
    with pytest.raises(Refused) as stranger:
        desk.decide(batch, "disposal", "reviewer")
    assert stranger.value.code == "not-found"
    desk.decide(batch, "disposal", PROPOSER)
    confirmation = desk.open(batch, "disposal-confirm")

    desk.desk.run(_post, PROPOSER, "head", "security")
    desk.desk.run(_post, CONFIRMER, "member", "storage")
    for person in (PROPOSER, CONFIRMER):
        with pytest.raises(Refused) as refused:
            desk.answer(confirmation, batch, "disposal-confirm", person)
        assert refused.value.code in ("was-proposer", "was-storage-release"), person
    [post] = [row for row in desk.desk.all(Post, person_id=PROPOSER) if row.department_id == "security"]
    desk.change(Post, post.id, until=desk.desk.clock.now())
    desk.answer(confirmation, batch, "disposal-confirm", "security-deputy")
    desk.desk.run(_post, "security-deputy", "member", "storage")
    with pytest.raises(NotPermitted, match="of one department"):
        desk.apply(batch)
    assert desk.states == ["listed"]


def _post(uow: UnitOfWork, person_id: str, kind: str, department_id: str) -> None:
    post = Post(person_id=person_id, department_id=department_id, kind=kind, since=uow.now - timedelta(days=1))
    uow.session.add(post)


@pytest.mark.requirement("R52", refuses=True)
def test_a_job_with_other_items_marks_or_no_decision_makes_nothing_due(desk: DisposalDesk) -> None:
    desk.desk.run(further, 2)
    assert desk.list_due() == 3
    batch, items = desk.batch, desk.items
    with pytest.raises(Refused) as by_hand:
        desk.ask(
            "disposal",
            "security-head",
            items=1,
            itemsSha256="a",
            size=1,
            first="2031-03-04T12:00:00Z",
            last="2031-03-04T12:00:00Z",
        )
    assert by_hand.value.status == 403

    with pytest.raises(Refused):  # before anybody is asked
        desk.desk.run(disposals.mark, batch, items[0].id, "仍需使用", by=PROPOSER)
    review = desk.open(batch, "disposal")
    for person in ("security-head", "reviewer"):
        with pytest.raises((Refused, NotFound)):
            desk.desk.run(disposals.mark, batch, items[0].id, "仍需使用", by=person)
    for item in items:
        desk.desk.run(disposals.mark, batch, item.id, "仍需使用", by=PROPOSER)
    with pytest.raises(Refused) as nothing:
        desk.answer(review, batch, "disposal", PROPOSER)
    assert nothing.value.code == "all-left-out"
    for item in items[1:]:
        desk.desk.run(disposals.mark, batch, item.id, "", by=PROPOSER)
    desk.answer(review, batch, "disposal", PROPOSER)
    with pytest.raises(Refused) as late:
        desk.desk.run(disposals.mark, batch, items[1].id, "太晚", by=PROPOSER)
    assert late.value.code == "not-asked"

    desk.decide(batch, "disposal-confirm", CONFIRMER)
    desk.change(DisposalItem, items[1].id, state="left-out", because="x")
    with pytest.raises(NotPermitted, match="leaves out other items"):
        desk.apply(batch)
    desk.change(DisposalItem, items[1].id, state="listed", because=None, facts={**items[1].facts, "size": 7})
    with pytest.raises(NotPermitted, match="not those that were listed"):
        desk.apply(batch)
    desk.change(DisposalItem, items[1].id, facts=items[1].facts)
    assert desk.apply(batch)
    assert desk.states == ["kept", "due", "due"]
    assert desk.matter(batch).outcome == {"due": 2, "kept": 1, "held": 0}

    assert desk.list_due() == 0  # what was left out is not listed every day
    desk.desk.clock.turn(THIRTY_ONE_DAYS)
    assert desk.list_due() == 1


@pytest.mark.requirement("R52", refuses=True)
def test_a_refused_batch_keeps_everything(desk: DisposalDesk) -> None:
    desk.list_due()
    batch = desk.batch
    desk.check(batch)
    desk.decide(batch, "disposal", PROPOSER)
    desk.decide(batch, "disposal-confirm", CONFIRMER, "rejected")
    with pytest.raises(NotPermitted, match="decided against"):
        desk.apply(batch)
    desk.close(batch, "refused")
    assert (desk.states, desk.matter(batch).closed_as) == (["kept"], "refused")


async def test_a_store_that_fails_half_way_is_asked_again_and_the_first_answer_stays(desk: DisposalDesk) -> None:
    desk.list_due()
    desk.agree()
    desk.apply(desk.batch)
    failing: Any = Failing(desk.store, 1)
    with pytest.raises(StoreDown):
        await desk.disposer(store=failing).run()
    assert desk.states == ["due"]
    assert [one["what"] for one in desk.items[0].results or ()] == ["copy", "replica"]
    assert not desk.desk.all(Document, kind="disposal")

    await desk.disposer().run()
    await desk.disposer().run()
    assert (desk.states, desk.left()) == (["deleted"], [])
    assert {one["answer"] for one in desk.items[0].results or ()} == {"deleted"}
    assert len(desk.desk.all(Document, kind="disposal")) == 1


async def test_one_item_that_a_store_does_not_delete_holds_up_no_other(desk: DisposalDesk) -> None:
    desk.desk.run(further, 1)
    [paper] = [master for master in desk.desk.all(Master) if master.application_id != desk.application_id]
    stored = desk.store.put("masters", "masters/further", io.BytesIO(b"sealed footage"), metadata={})
    sealed = {**paper.sealed, "key": stored.key, "versionId": stored.version_id}
    desk.change(Master, paper.id, sealed=sealed, replica=None)
    assert desk.list_due() == 2
    desk.agree()
    desk.apply(desk.batch)
    first, second = sorted(desk.items, key=lambda item: item.id)
    bad = desk.desk.the(Master, id=first.master_id).sealed["key"]

    with bad_disk(desk.store, "delete", bad), pytest.raises(StoreDown):
        await desk.disposer().run()
    assert {item.id: item.state for item in desk.items} == {first.id: "due", second.id: "deleted"}
    await desk.disposer().run()
    assert (desk.states, desk.left()) == (["deleted", "deleted"], [])


async def test_a_version_that_the_store_still_locks_stays_and_is_tried_again(desk: DisposalDesk) -> None:
    desk.list_due()
    desk.agree()
    desk.apply(desk.batch)
    sealed = desk.desk.the(Master).sealed
    desk.store.set_legal_hold(sealed["bucket"], sealed["key"], sealed["versionId"], True)
    await desk.disposer().run()
    assert (desk.states, len(desk.left())) == (["due"], 1)
    desk.store.set_legal_hold(sealed["bucket"], sealed["key"], sealed["versionId"], False)
    await desk.disposer().run()
    assert desk.states == ["deleted"]


@pytest.mark.requirement("R52", "R61", refuses=True)
def test_whoever_a_case_concerns_decides_nothing_about_its_footage(desk: DisposalDesk) -> None:
    """Such a case has a batch of its own, which others decide and whom it concerns does not see (T8)."""
    desk.desk.run(further, 2)
    concerned = desk.desk.all(Application, number="SQ-2031-100000")[0]
    desk.change(Application, concerned.id, subject_ids=["security-head"])
    assert desk.list_due() == 3
    batches = {item.application_id: item.matter_id for item in desk.items}
    own = batches[concerned.id]
    assert [item.matter_id for item in desk.items].count(own) == 1
    assert len(set(batches.values())) == 2
    desk.check(own)
    desk.decide(own, "disposal", PROPOSER)
    confirmation = desk.open(own, "disposal-confirm")
    with pytest.raises((Refused, NotFound)):
        desk.answer(confirmation, own, "disposal-confirm", "security-head")


@pytest.mark.requirement("R52", "R61", refuses=True)
@pytest.mark.parametrize("had", ["named", "handed", "transferred", "accused"])
def test_whoever_had_or_was_to_have_the_copies_signs_no_disposal_of_their_masters(
    desk_of_each: DisposalDesk, had: str
) -> None:
    """On site these are people of Security or the storage office, and custody is transferred.

    The batch runs under another case, and bars them all the same.
    """
    desk = desk_of_each
    desk.desk.run(further, 2)
    loan = desk.desk.the(HandOver)
    if had == "accused":
        accuse(desk, desk.application_id)
    elif had == "named":
        desk.change(Application, desk.application_id, named_custodian_id=PROPOSER)
    else:
        desk.change(HandOver, loan.id, custodian_id=PROPOSER)
        desk.desk.run(
            lambda uow: log.append(uow, uow.session.get_one(HandOver, loan.id), "received", person_id=PROPOSER)
        )
    if had == "transferred":
        desk.change(HandOver, loan.id, custodian_id="keeper")
    [master] = desk.desk.all(Master, application_id=desk.application_id)
    desk.change(Master, master.id, dispose_after=desk.desk.clock.now())  # not the first one of the batch
    assert desk.list_due() == 3
    assert desk.matter(desk.batch).application_id != desk.application_id
    desk.check(desk.batch)
    proposal = desk.open(desk.batch, "disposal")
    with pytest.raises(Refused) as refused:
        desk.answer(proposal, desk.batch, "disposal", PROPOSER)
    assert refused.value.code == "was-party"
    desk.answer(proposal, desk.batch, "disposal", "operator")
    desk.decide(desk.batch, "disposal-confirm", CONFIRMER)
    assert desk.apply(desk.batch)
    assert desk.states == ["due", "due", "due"]


@pytest.mark.requirement("R52", "R61", refuses=True)
def test_nothing_is_listed_that_nobody_could_decide(desk: DisposalDesk) -> None:
    """Two operators are all of the storage office: one case bars both of them, and two others one each."""
    desk.desk.run(further, 4)
    for post in desk.desk.all(Post, department_id="storage"):
        if post.person_id not in ("operator", PROPOSER):
            desk.change(Post, post.id, until=desk.desk.clock.now())
    further_ones = (row.id for row in desk.desk.all(Application) if str(row.number).startswith("SQ-2031-1"))
    first, second, both, *_ = further_ones
    desk.change(Application, first, named_custodian_id="operator")
    desk.change(Application, second, named_custodian_id=PROPOSER)
    desk.change(Application, both, named_custodian_id="operator", custodian_id=PROPOSER)

    assert desk.list_due() == 4
    batches = {item.application_id: item.matter_id for item in desk.items}
    assert both not in batches
    assert batches[first] != batches[second]
    assert len(set(batches.values())) == 2, "the others are with one of them"


@pytest.mark.requirement("R52", "R61", refuses=True)
def test_masters_of_whoever_is_named_as_custodian_after_the_listing_are_kept(desk: DisposalDesk) -> None:
    """The batch runs under the case of its first item; who has a part in another one is asked at the end."""
    desk.desk.run(further, 2)
    assert desk.list_due() == 3
    [other] = {item.application_id for item in desk.items if item.position == 3}
    desk.change(Application, other, named_custodian_id=PROPOSER)
    desk.check(desk.batch)
    desk.agree()
    assert desk.apply(desk.batch)
    assert desk.states == ["due", "due", "kept"]


@pytest.mark.requirement("R52", "R61", refuses=True)
@pytest.mark.parametrize(("ended", "state"), [("upheld", "kept"), ("cleared", "due")])
def test_masters_of_a_case_whose_violation_accuses_a_signer_after_the_listing_are_kept(
    desk: DisposalDesk, ended: str, state: str
) -> None:
    desk.desk.run(further, 2)
    assert desk.list_due() == 3
    [other] = {item.application_id for item in desk.items if item.position == 3}
    accuse(desk, other, ended=ended)
    desk.check(desk.batch)
    desk.agree()
    assert desk.apply(desk.batch)
    assert desk.states == ["due", "due", state]


def test_a_batch_is_seen_by_storage_security_and_supervision_alone(desk: DisposalDesk) -> None:
    desk.list_due()
    for person in ("operator", "security-head", "supervisor"):
        assert desk.desk.run(matter_queries.get, desk.batch, by=person).kind == "disposal"
        assert desk.desk.run(disposals.get, desk.batch, by=person).counts == {"listed": 1}
    for person in ("drafter", "head", "keeper", "admin", "manager"):
        for read in (matter_queries.get, disposals.get, disposals.read_items):
            with pytest.raises(NotFound):
                desk.desk.run(read, desk.batch, by=person)
        with pytest.raises(Refused):
            desk.desk.run(disposals.read, by=person)
    assert desk.desk.run(matter_queries.list_of_case, desk.application_id, by="operator") == []
    with pytest.raises(Refused):
        desk.desk.run(matters.open_matter, "disposal", desk.application_id, {}, by="operator")


@pytest.mark.requirement("R28", "R40", refuses=True)
def test_retention_is_that_of_the_class(desk: DisposalDesk) -> None:
    rules = desk.desk.rules
    assert [kept_for(rules, "master", important=one).days for one in (False, True)] == [365, 730]
    assert (kept_for(rules, "derived").days, kept_for(rules, "documents").days) == (90, 1096)
    master = desk.desk.the(Master)
    desk.change(Master, master.id, dispose_after=desk.desk.clock.now() + timedelta(days=1))
    assert desk.list_due() == 0
    assert desk.desk.run(custody_disposals.count_due) == (0, None)
    desk.change(Master, master.id, dispose_after=desk.desk.clock.now())
    number, first = desk.desk.run(custody_disposals.count_due)
    assert (number, first is not None) == (1, True)


def test_two_thousand_items_are_listed_and_read_in_few_statements(desk: DisposalDesk) -> None:
    desk.desk.run(further, 2_000)
    with statements(desk.desk.database.engine) as made:
        assert desk.list_due() == disposals.MOST + 1  # the last one in a batch of its own
    # what is sealed has the place of each key frame: all of it, of two thousand, is no worker's memory
    assert not [one for one in made if "sealed AS" in one]
    listing = Listing(sort="position", limit=50)
    batch = max({item.matter_id for item in desk.items}, key=[item.matter_id for item in desk.items].count)
    page: Page[Any] = desk.desk.run(disposals.read_items, batch, listing, by="operator")
    assert [line.position for line in page.lines] == list(range(1, 51))
    proof = Proof(desk.matter(batch).facts_sha256, PASSWORD)
    review = desk.open(batch, "disposal")
    answers = {"each-checked": True, "nothing-pending": True}
    desk.desk.run(review_service.decide, review, outcome="approved", answers=answers, proof=proof, by=PROPOSER)
    desk.decide(batch, "disposal-confirm", CONFIRMER)
    assert desk.apply(batch)
    assert desk.matter(batch).outcome == {"due": 2_000, "kept": 0, "held": 0}
    assert desk.desk.the(Matter, id=batch).closed_as == "applied"


@pytest.mark.requirement("R52")
def test_ten_thousand_items_are_listed_in_one_run_with_as_many_statements_for_each_batch(desk: DisposalDesk) -> None:
    """Ten of those who decide keep the copies of every third case: a run was used up by such cases once."""
    desk.desk.run(further, 9_999)
    staff = ("operator", PROPOSER, "security-head", "security-deputy", "office-head")
    desk.desk.run(_spread, staff)
    with statements(desk.desk.database.engine) as made:
        plan = desk.desk.run(disposals.plan_batches)
    assert len(made) <= 60
    assert sum(len(batch.master_ids) for batch in plan) == 10_000
    assert len(plan) <= 10_000 // disposals.MOST + len(staff)
    with statements(desk.desk.database.engine) as made:
        listed = [desk.desk.run(disposals.open_batch, batch) for batch in plan]
    assert sum(listed) == 10_000
    assert len(made) <= 60 * len(plan)
    assert desk.desk.run(disposals.plan_batches) == []


def _spread(uow: UnitOfWork, people: tuple[str, ...]) -> None:
    for place, application_id in enumerate(uow.session.scalars(select(Application.id).order_by(Application.id)).all()):
        if place % 3 == 0:
            who = people[place // 3 % len(people)]
            uow.session.execute(
                update(Application).where(Application.id == application_id).values(named_custodian_id=who)
            )
