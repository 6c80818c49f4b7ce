"""Custody: the receipt, the grants it makes, what ends them, the return and its attestation, the custody log."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from custody_desk import NOON, PASSWORD, Case, Desk

from services.database.tables.agreements import Agreement
from services.database.tables.audit import AuditEvent
from services.database.tables.copies import Copy, Download, Grant, Viewing
from services.database.tables.custody import CustodyEntry, HandOver
from services.database.tables.holds import Hold
from services.database.tables.notices import Notice
from services.database.tables.outbox import OutboxMessage
from services.database.tables.returns import Return
from services.database.tables.reviews import Decision
from services.database.unit_of_work import UnitOfWork
from services.domain.change_requests import holds
from services.domain.custody import granted, grants, hand_overs, returns, viewings
from services.domain.custody import log as custody_log
from services.domain.custody import queries as custody_queries
from services.domain.custody.returns import AttestedFate
from services.runtime.errors import NotFound, Refused

DUE = NOON + timedelta(days=10)
RECIPIENT = "age1" + "q" * 58
MINUTE = timedelta(minutes=1)


@pytest.fixture
def desk(tmp_path: Path, any_database_url: str) -> Iterator[Desk]:
    """A desk whose recorder is empty."""
    footage = tmp_path / "no footage"
    footage.mkdir()
    desk = Desk(tmp_path, footage, database_url=any_database_url)
    yield desk
    desk.database.close()


@pytest.fixture
def lent(desk: Desk) -> tuple[Case, str]:
    """A case with one copy, written into the books without any footage; offered, and its receipt open."""
    case = desk.case("gate").approve()
    return case, desk.do(desk.lend_on_paper, case)


def copy_of(desk: Desk) -> str:
    return str(desk.rows(Copy)[0].id)


def refusal(desk: Desk, person: str, act: Callable[..., Any], *arguments: Any, **named: Any) -> str:
    with pytest.raises(Refused) as caught:
        desk.as_person(person, act, *arguments, **named)
    assert caught.value.zh
    assert caught.value.en
    return caught.value.code


@pytest.mark.requirement("R45", "R46", "R55")
def test_accepting_grants_viewing_up_to_the_due_date(desk: Desk, lent: tuple[Case, str]) -> None:
    case, hand_over_id = lent

    row = case.accept(hand_over_id)
    again = case.accept(hand_over_id)

    assert row.id == again.id
    assert (row.accepted_at, row.due_at, row.agreement_id) == (NOON, DUE, "agreement-custodian")
    assert [(one.action, one.person_id, one.since, one.until) for one in desk.rows(Grant)] == [
        ("view", "custodian", NOON, DUE)
    ]
    [decision] = [one for one in desk.rows(Decision) if one.stage == "receipt"]
    assert decision.outcome == "accepted"
    assert decision.answers["copies"] == {copy_of(desk): desk.rows(Copy)[0].sealed["sha256Cipher"]}
    [message] = [one for one in desk.rows(OutboxMessage) if one.name == "review-decided"]
    assert message.variables == {"decision": "accepted", "dueAt": "2031-03-14T12:00:00Z"}


def test_a_download_is_granted_only_where_the_approval_says_so(desk: Desk) -> None:
    case = desk.case("gate").approve(granted_way_of_use="download")
    case.accept(desk.do(desk.lend_on_paper, case))

    assert sorted(one.action for one in desk.rows(Grant)) == ["download", "view"]


@pytest.mark.requirement("R46", "R59", refuses=True)
@pytest.mark.parametrize(
    "values",
    [
        {"expires_at": NOON},
        {"ended_at": NOON - MINUTE},
        {"signed_at": NOON + MINUTE},
        {"version": "1999"},
    ],
)
def test_nobody_accepts_without_a_valid_agreement(desk: Desk, lent: tuple[Case, str], values: dict[str, Any]) -> None:
    case, hand_over_id = lent
    desk.change(Agreement, "agreement-custodian", **values)

    with pytest.raises(Refused) as caught:
        case.accept(hand_over_id)

    assert caught.value.code == "agreement-missing"
    assert desk.rows(Grant) == []
    assert desk.row(HandOver, hand_over_id).accepted_at is None


@pytest.mark.requirement("R46", refuses=True)
@pytest.mark.requirement("R1", "R45")
def test_a_wrong_password_old_conditions_or_another_form_accept_nothing(desk: Desk, lent: tuple[Case, str]) -> None:
    case, hand_over_id = lent
    codes = []
    for named in (
        {"proof": case.proof("not it")},
        {"conditions_version": "1999"},
        {"proof": hand_overs.Proof("0" * 64, PASSWORD)},
    ):
        with pytest.raises(Refused) as caught:
            case.accept(hand_over_id, **named)
        codes.append(caught.value.code)

    assert codes == ["password-wrong", "conditions-outdated", "form-changed"]
    assert desk.rows(Grant) == []


@pytest.mark.requirement("R57", refuses=True)
def test_nobody_else_accepts_declines_returns_or_reports(desk: Desk, lent: tuple[Case, str]) -> None:
    case, hand_over_id = lent

    with pytest.raises(NotFound):
        case.accept(hand_over_id, person="stranger")
    whole_return = {"return_to": "storage", "fates": [], "no_other_copies": True, "proof": case.proof()}
    acts: list[tuple[Any, dict[str, Any]]] = [
        (custody_queries.get_mine, {}),
        (hand_overs.decline, {"reason": "not needed", "proof": case.proof()}),
        (returns.return_copies, whole_return),
        (hand_overs.report_loss, {"kind": "lost", "what_happened": "Left on a train."}),
    ]
    for act, said in acts:
        with pytest.raises(NotFound):
            desk.as_person("stranger", act, hand_over_id, **said)


def test_after_the_take_up_time_nobody_accepts(desk: Desk, lent: tuple[Case, str]) -> None:
    case, hand_over_id = lent
    desk.clock.turn(timedelta(days=7) - MINUTE)
    desk.do(lambda uow: granted.list_of_hand_over(uow, hand_over_id))
    desk.clock.turn(MINUTE)

    with pytest.raises(Refused, match="acceptance deadline has passed"):
        case.accept(hand_over_id)


def test_declining_needs_a_reason_and_grants_nothing(desk: Desk, lent: tuple[Case, str]) -> None:
    case, hand_over_id = lent
    named = {"proof": case.proof()}

    assert refusal(desk, "custodian", hand_overs.decline, hand_over_id, reason=" ", **named) == "missing"
    row = desk.as_person("custodian", hand_overs.decline, hand_over_id, reason="Settled otherwise.", **named)

    assert row.declined_at == NOON
    assert desk.rows(Grant) == []
    with pytest.raises(Refused, match="accepted, declined or withdrawn"):
        case.accept(hand_over_id)


@pytest.mark.requirement("R51", "R55", refuses=True)
def test_a_grant_holds_from_its_beginning_up_to_its_end_and_for_its_person_alone(
    desk: Desk, lent: tuple[Case, str]
) -> None:
    case, hand_over_id = lent
    copy_id = copy_of(desk)
    assert refusal(desk, "custodian", grants.check, copy_id, "view") == "not-accepted"
    case.accept(hand_over_id)
    grant_id = desk.rows(Grant)[0].id

    assert desk.as_person("custodian", grants.check, copy_id, "view").copy_id == copy_id
    assert refusal(desk, "custodian", grants.check, copy_id, "download") == "not-granted"
    for person in ("stranger", "drafter", "security", "operator"):
        assert refusal(desk, person, grants.check, copy_id, "view") == "not-found"
    desk.change(Grant, grant_id, since=NOON + MINUTE)
    assert refusal(desk, "custodian", grants.check, copy_id, "view") == "grant-not-begun"
    desk.change(Grant, grant_id, since=NOON)
    desk.clock.turn(timedelta(days=10) - MINUTE)
    desk.as_person("custodian", grants.check, copy_id, "view")
    desk.clock.turn(MINUTE)
    assert refusal(desk, "custodian", grants.check, copy_id, "view") == "use-period-over"


def test_each_thing_that_ends_or_stops_a_loan_stops_the_reading(desk: Desk, lent: tuple[Case, str]) -> None:
    case, hand_over_id = lent
    case.accept(hand_over_id)
    copy_id, grant_id = copy_of(desk), desk.rows(Grant)[0].id
    changes = [
        (Grant, grant_id, "ended_at", "grant-ended"),
        (HandOver, hand_over_id, "returned_at", "copy-returned"),
        (HandOver, hand_over_id, "lost_at", "copy-lost"),
        (Copy, copy_id, "key_destroyed_at", "key-destroyed"),
        (Agreement, "agreement-custodian", "ended_at", "agreement-missing"),
    ]

    for kind, key, field, code in changes:
        desk.change(kind, key, **{field: NOON})
        assert refusal(desk, "custodian", grants.check, copy_id, "view") == code
        desk.change(kind, key, **{field: None})
    desk.as_person("custodian", grants.check, copy_id, "view")


@pytest.mark.requirement("R41", "R52", refuses=True)
def test_every_read_is_counted_and_new_ground_is_on_the_trail(desk: Desk, lent: tuple[Case, str]) -> None:
    case, hand_over_id = lent
    case.accept(hand_over_id)
    copy_id = copy_of(desk)
    opening = {"purpose_confirmed": False, "address": "192.0.2.1"}
    assert refusal(desk, "custodian", viewings.open_viewing, copy_id, **opening) == "purpose-not-confirmed"
    sitting = desk.as_person("custodian", viewings.open_viewing, copy_id, **{**opening, "purpose_confirmed": True})

    for offset in (0, 100, 50, 4000):
        desk.as_person("custodian", viewings.record_read, copy_id, sitting.viewing_id, offset, 100)
    desk.clock.turn(MINUTE)
    desk.as_person("custodian", viewings.record_read, copy_id, sitting.viewing_id, 0, 10)

    row = desk.row(Viewing, sitting.viewing_id)
    assert (row.reads, row.bytes_read, row.ranges) == (5, 410, [[0, 200], [4000, 4100]])
    assert [event.action for event in desk.rows(AuditEvent)].count("footage-read") == 2
    with pytest.raises(NotFound):
        desk.as_person("custodian", viewings.record_read, copy_id, "another", 0, 10)


def _hold(uow: UnitOfWork, application_id: str) -> None:
    values = {"cause": "manual", "reason": "调查", "placed_by": "operator", "owner_id": "operator"}
    uow.session.add(
        Hold(application_id=application_id, placed_at=uow.now, review_at=uow.now + timedelta(days=9), **values)
    )


@pytest.mark.requirement("R38", refuses=True)
@pytest.mark.requirement("R39", "R67")
def test_the_attestation_names_every_download_and_is_signed(desk: Desk) -> None:
    case = desk.case("gate").approve(granted_way_of_use="download")
    hand_over_id = desk.do(desk.lend_on_paper, case)
    case.accept(hand_over_id)
    wish = {"recipient": RECIPIENT, "medium": "USB stick 7", "address": "192.0.2.1"}
    one = desk.as_person("custodian", viewings.list_download, copy_of(desk), **wish).id
    other = desk.as_person("custodian", viewings.list_download, copy_of(desk), **wish).id
    destroyed, given = AttestedFate(one, "destroyed"), AttestedFate(other, "given-back", "USB stick 7")

    def code(*fates: AttestedFate, **values: Any) -> str:
        with pytest.raises(Refused) as caught:
            case.give_back(hand_over_id, *fates, **values)
        return caught.value.code

    assert (
        code()
        == code(destroyed)
        == code(destroyed, destroyed)
        == code(destroyed, given, AttestedFate("x", "destroyed"))
    )
    assert code(destroyed) == "attestation-incomplete"
    assert code(destroyed, AttestedFate(other, "kept")) == "attestation-fate"
    assert code(destroyed, given, no_other_copies=False) == "attestation-other-copies"
    assert code(destroyed, given, return_to="canteen") == "return-to"
    assert code(destroyed, given, proof=case.proof("wrong")) == "password-wrong"
    assert desk.rows(Return) == []

    # while somebody holds the case nothing of it is destroyed unsaid
    desk.do(_hold, case.id)
    assert code(destroyed, given) == "case-held"
    assert desk.rows(Return) == []
    destroyed = AttestedFate(one, "destroyed", "昨日在部门内粉碎，部门负责人在场")

    row = case.give_back(hand_over_id, destroyed, given, return_to="storage")
    assert [notice.person_id for notice in desk.rows(Notice) if notice.code == "download-destroyed-held"] == [
        "operator"
    ]
    again = case.give_back(hand_over_id, destroyed, given)

    assert row.id == again.id
    assert row.attestation["downloads"] == {
        one: {"fate": "destroyed", "note": destroyed.note},
        other: {"fate": "given-back", "note": "USB stick 7"},
    }
    assert all(grant.ended_because == "returned" for grant in desk.rows(Grant))
    assert [message.name for message in desk.rows(OutboxMessage)].count("copy-returned") == 1
    assert [notice.person_id for notice in desk.rows(Notice) if notice.code == "copy-returned"] == ["operator"]
    assert len(desk.rows(Download)) == 2


def test_what_was_not_accepted_cannot_be_returned_or_lost(desk: Desk, lent: tuple[Case, str]) -> None:
    case, hand_over_id = lent
    loss = {"kind": "lost", "what_happened": "It fell into the river."}

    with pytest.raises(Refused, match="not accepted"):
        case.give_back(hand_over_id)
    assert refusal(desk, "custodian", hand_overs.report_loss, hand_over_id, **loss) == "not-accepted"


@pytest.mark.requirement("R48")
def test_a_loss_is_reported_once_stops_access_and_rules_out_a_return(desk: Desk, lent: tuple[Case, str]) -> None:
    case, hand_over_id = lent
    case.accept(hand_over_id)
    report = (hand_overs.report_loss, hand_over_id)

    for kind in ("eaten", "damaged", "leaked"):  # the last two are problems, which Security answers
        assert refusal(desk, "custodian", *report, kind=kind, what_happened="x") == "loss-kind"
    assert refusal(desk, "custodian", *report, kind="lost", what_happened=" ") == "loss-facts"
    for _ in range(2):
        desk.as_person("custodian", *report, kind="lost", what_happened="It fell into the river.")

    assert [message.correlation_key for message in desk.rows(OutboxMessage) if message.name == "copy-lost"] == [
        hand_over_id
    ]
    assert refusal(desk, "custodian", grants.check, copy_of(desk), "view") == "copy-lost"
    with pytest.raises(Refused, match="reported lost"):
        case.give_back(hand_over_id)


@pytest.mark.requirement("R46", refuses=True)
@pytest.mark.requirement("R38")
def test_a_custodian_gives_back_and_declines_in_time_whatever_holds_the_signatures(
    desk: Desk, lent: tuple[Case, str]
) -> None:
    """What gives footage back must not come too late; what gives more of it waits."""
    case, hand_over_id = lent

    def hold(uow: UnitOfWork) -> None:
        holds.add(uow, "custodian", "password-reset")

    desk.do(hold)
    with pytest.raises(Refused) as caught:
        case.accept(hand_over_id)
    assert caught.value.code == "signature-held"
    desk.clock.turn(timedelta(days=1))
    case.accept(hand_over_id)
    other = desk.case("gate").approve()
    declined = desk.do(desk.lend_on_paper, other)

    desk.do(hold)
    loss = {"kind": "lost", "what_happened": "It fell into the river."}  # would destroy the key
    assert refusal(desk, "custodian", hand_overs.report_loss, hand_over_id, **loss) == "signature-held"
    desk.as_person("custodian", hand_overs.decline, declined, reason="not needed", proof=other.proof())
    assert case.give_back(hand_over_id).returned_by == "custodian"


def test_the_custody_log_is_one_chain_and_shows_where_it_was_changed(desk: Desk, lent: tuple[Case, str]) -> None:
    case, hand_over_id = lent
    case.accept(hand_over_id)
    for _ in range(3):
        desk.as_person("custodian", viewings.open_viewing, copy_of(desk), purpose_confirmed=True, address="192.0.2.1")

    log = desk.as_person("custodian", custody_queries.get_log, hand_over_id).view
    entries, broken_at = log.entries, log.broken_at
    assert [entry.event for entry in entries] == ["offered", "received", "viewed", "viewed", "viewed"]
    assert broken_at is None

    entries = desk.do(lambda uow: custody_log.list_entries(uow, hand_over_id))
    desk.change(CustodyEntry, entries[2].id, person_id="stranger")
    assert desk.do(lambda uow: custody_log.broken_at(custody_log.list_entries(uow, hand_over_id))) == 3
    desk.change(CustodyEntry, entries[2].id, person_id="custodian")
    desk.do(lambda uow: uow.session.delete(uow.session.get_one(CustodyEntry, entries[1].id)))
    assert desk.do(lambda uow: custody_log.broken_at(custody_log.list_entries(uow, hand_over_id))) == 2


@pytest.mark.requirement("R62", refuses=True)
def test_the_log_is_for_those_who_may_see_the_case(desk: Desk, lent: tuple[Case, str]) -> None:
    _, hand_over_id = lent

    desk.as_person("supervisor", custody_queries.get_log, hand_over_id)
    with pytest.raises(NotFound):
        desk.as_person("stranger", custody_queries.get_log, hand_over_id)
    reads = [event for event in desk.rows(AuditEvent) if event.action == "custody-log-read"]
    assert [event.actor_id for event in reads] == ["supervisor"]
