"""The states of a loan and what can happen to it: each cell of the table, over the API and in the register.

A cell names what the act answers and everything that is seen to differ in the register afterwards: what is not named
there has not changed. A state is one entry of STATES, an act one of ACTS; each has a cell for every one of the others.
"""

from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from loan_matter import REASON, LoanDesk, awaiting, lent
from portal_client import Portal, problem
from prepared_desk import prepared_desk
from review_desk import NOON, PASSWORD, ReviewDesk

from services.database.tables.copies import Download
from services.database.tables.custody import HandOver
from services.database.tables.matters import Matter
from services.database.tables.returns import Inspection, Return
from services.database.tables.violations import Violation
from services.database.unit_of_work import UnitOfWork
from services.domain.accounts.signatures.given import Proof
from services.domain.custody import grants, hand_overs, returns, suspensions, violations
from services.domain.custody.returns import AttestedFate
from services.domain.holds import queries as holds
from services.domain.matters import problems
from services.domain.matters.kinds import KINDS
from services.domain.rules import agreed_limits
from services.domain.staffing import leaving
from services.runtime.errors import NotPermitted, Refused

DAYS = 15  # of the use period that was granted
LATER = DAYS + 7
NEW_KEEPER = "drafter"
HOUR = timedelta(hours=1)

# ---- states


def frozen(desk: ReviewDesk) -> dict[str, str]:
    ids = lent(desk)
    LoanDesk(desk, ids).report()
    return ids


def overdue(desk: ReviewDesk) -> dict[str, str]:
    ids = lent(desk)
    desk.clock.turn(timedelta(days=DAYS) + HOUR)
    desk.run(hand_overs.suspend, ids["application_id"], ids["hand_over_id"])
    return ids


def violated(desk: ReviewDesk) -> dict[str, str]:
    ids = overdue(desk)
    desk.clock.turn(desk.rules.grace_period)
    desk.run(violations.open_overdue, ids["application_id"], ids["hand_over_id"])
    return ids


def inspected(desk: ReviewDesk) -> dict[str, str]:
    ids = lent(desk)
    desk.run(
        returns.return_copies,
        ids["hand_over_id"],
        return_to="security",
        fates=[AttestedFate(ids["download_id"], "destroyed")],
        no_other_copies=True,
        proof=Proof("", PASSWORD),
        by="keeper",
    )
    desk.run(returns.record_inspection, ids["application_id"], ids["hand_over_id"], {})
    return ids


def left(desk: ReviewDesk) -> dict[str, str]:
    ids = lent(desk)
    desk.run(leaving.leave, "keeper", by="admin")
    return ids


STATES: dict[str, Callable[[ReviewDesk], dict[str, str]]] = {
    "in use": lent,
    "frozen": frozen,
    "overdue": overdue,
    "violation": violated,
    "awaiting receipt": awaiting,
    "returned": inspected,
    "custodian left": left,
}

# ---- what is seen of a loan


def register(loan: LoanDesk) -> dict[str, Any]:
    """All that the acts may change."""
    held = loan.loan

    def read(uow: UnitOfWork) -> list[str]:
        return sorted(row.cause for row in suspensions.list_open(uow, uow.session.get_one(HandOver, held.id)))

    return {
        "custodian": held.custodian_id,
        "purpose": held.purpose,
        "due": (held.due_at - NOON) / timedelta(days=1) if held.due_at else None,
        "ended": next((name for name in ("returned", "lost", "ended") if getattr(held, f"{name}_at")), None),
        "causes": loan.desk.run(read),
        "violations": [(row.kind, row.accused) for row in loan.desk.all(Violation, closed_at=None)],
        "access": access(loan, held.custodian_id),
        "asked": sorted(row.kind for row in loan.desk.all(Matter, closed_at=None)),
        "returns": len(loan.desk.all(Return)),
    }


def access(loan: LoanDesk, person: str) -> str:
    try:
        loan.desk.run(grants.check, loan.ids["copy_id"], "view", by=person)
    except Refused as refusal:
        return refusal.code
    return "opens"


# ---- what happens


class Played:
    """A loan in its state, and the portal; acts answer in one line."""

    def __init__(self, loan: LoanDesk, portal: Portal) -> None:
        self.loan, self.portal = loan, portal
        has_left = loan.desk.run(suspensions.has_left, "keeper")
        self.custodian = "head" if has_left else "keeper"  # whoever stands in for the custodian
        self.attests = not has_left

    async def post(self, by: str, path: str, body: dict[str, Any]) -> dict[str, Any] | str:
        client = await self.portal.signed_in(by)
        answer = await client.post(path, json=body)
        if answer.is_success:
            return dict(answer.json())
        status, code, _ = problem(answer)
        return f"{status} {code}"

    async def matter(self, kind: str, by: str, *stages: tuple[str, str], **asked: Any) -> str:
        """Ask for it; where that is allowed, let the stages decide for it and carry it out."""
        body = {"kind": kind, "applicationId": self.loan.application_id, "asked": {"reason": REASON, **asked}}
        body["password"] = PASSWORD  # of a transfer
        answer = await self.post(by, "/api/matters", body)
        if isinstance(answer, str):
            return answer
        self.loan.agreed(answer["id"], *stages)
        return "applied" if self.loan.apply(answer["id"]) else "moot"

    def turn_to(self, grace: bool) -> None:
        held, now = self.loan.loan, self.loan.desk.clock.now()
        if held.due_at is None:
            return
        grace_period = self.loan.desk.run(agreed_limits.get_grace_period, held) if grace else timedelta()
        self.loan.desk.clock.turn(max(held.due_at + grace_period - now, timedelta()))

    def job(self, act: Callable[..., object]) -> str:
        try:
            self.loan.desk.run(act, self.loan.application_id, self.loan.ids["hand_over_id"])
        except NotPermitted:
            return "not permitted"
        return "done"


async def extension(played: Played) -> str:
    due_at = (NOON + timedelta(days=LATER)).isoformat()
    return await played.matter("extension", played.custodian, ("extension", "reviewer"), dueAt=due_at)


async def transfer(played: Played) -> str:
    if played.loan.loan.accepted_at is None:
        body = {"personId": NEW_KEEPER, "reason": REASON}
        answer = await played.post("head", f"/api/applications/{played.loan.application_id}/custodian", body)
        return answer if isinstance(answer, str) else "named"
    receipt = ("custody-receipt", NEW_KEEPER)
    return await played.matter("custody-transfer", played.custodian, receipt, toPersonId=NEW_KEEPER)


async def recall(played: Played) -> str:
    return await played.matter("recall", "reviewer", ("recall", "security-head"), ground="leak")


async def purpose(played: Played) -> str:
    chain = (("preliminary", "board-head"), ("security", "reviewer"), ("security-signature", "security-head"))
    return await played.matter("purpose-change", "head", *chain, purpose="用于培训", wayOfUse="view")


async def giving_back(played: Played) -> str:
    """Return the copies while something is asked about them; what the inspection finds."""
    loan = played.loan
    with suppress(Refused):
        loan.ask("extension", "head", dueAt=(NOON + timedelta(days=LATER)).isoformat())
    fates = [{"downloadId": row.id, "fate": "destroyed"} for row in loan.desk.all(Download) if played.attests]
    body = {"returnTo": "security", "noOtherCopies": played.attests, "password": PASSWORD, "downloads": fates}
    answer = await played.post(played.custodian, f"/api/hand-overs/{loan.ids['hand_over_id']}/return", body)
    if isinstance(answer, str):
        return answer
    loan.desk.run(returns.record_inspection, loan.application_id, loan.ids["hand_over_id"], {})
    found = [finding["code"] for finding in loan.desk.the(Inspection).findings]
    return f"returned: {', '.join(found) or 'in order'}"


async def problem_report(played: Played) -> str:
    """Report one, let Security answer that it is explained, a day later; what is seen while it is open comes first."""
    loan = played.loan
    body = {"kind": "problem", "applicationId": loan.application_id, "asked": {"reason": REASON, "problem": "gap"}}
    answer = await played.post(played.custodian, "/api/matters", body)
    if isinstance(answer, str):
        return answer
    seen = access(loan, loan.loan.custodian_id)
    loan.desk.run(problems.freeze, answer["id"], loan.instance)
    loan.desk.clock.turn(timedelta(days=1))
    loan.respond(answer["id"], "explained", "reviewer2")
    return f"{seen}, then answered"


async def violation(played: Played) -> str:
    """Security records what it has found; whether that holds the case comes with it."""
    loan = played.loan
    asked = {"reason": REASON, "violationKind": "finding"}
    body = {"kind": "violation", "applicationId": loan.application_id, "asked": asked}
    answer = await played.post("security-head", "/api/matters", body)
    if isinstance(answer, str):
        return answer
    held = {one.cause for one in loan.desk.run(holds.list_holdings, loan.application_id)}
    return "recorded, held" if "violation" in held else "recorded"


async def loss(played: Played) -> str:
    body = {"kind": "lost", "whatHappened": "丢失"}
    path = f"/api/hand-overs/{played.loan.ids['hand_over_id']}/report-loss"
    answer = await played.post(played.custodian, path, body)
    return answer if isinstance(answer, str) else "reported"


async def due_date(played: Played) -> str:
    played.turn_to(grace=False)
    return played.job(hand_overs.suspend)


async def grace_over(played: Played) -> str:
    played.turn_to(grace=True)
    return played.job(violations.open_overdue)


ACTS: dict[str, Callable[[Played], Awaitable[str]]] = {
    "extension": extension,
    "custody transfer": transfer,
    "recall": recall,
    "purpose change": purpose,
    "problem": problem_report,
    "violation": violation,
    "return": giving_back,
    "loss": loss,
    "due date": due_date,
    "grace over": grace_over,
}

# ---- the table

Cell = tuple[str, dict[str, Any]]
NOT_NOW: Cell = ("409 not-now", {})
NO_OP: Cell = ("done", {})
NOT_PERMITTED: Cell = ("not permitted", {})
EXTENDED = {"due": LATER}
HANDED_ON: Cell = ("applied", {"custodian": NEW_KEEPER})
BACK = {"ended": "returned", "access": "copy-returned", "returns": 1}
OTHER_PURPOSE: Cell = ("applied", {"purpose": "用于培训"})
SUSPENDED: Cell = ("done", {"causes": ["use-period-over"], "access": "use-period-over"})
GONE = {"ended": "lost", "access": "copy-lost"}
LATE: dict[str, Any] = {"violations": [("overdue", ["keeper"])], "access": "violation-open", "asked": ["violation"]}

FOUND = ("finding", ["keeper"])


def found(*causes: str, **seen: Any) -> Cell:
    """What Security has found is recorded: the copies are closed, and the case is held."""
    values = {"violations": [FOUND], "causes": [*causes, "violation"], "access": "violation-open"}
    return ("recorded, held", {**values, "asked": ["violation"], **seen})


CELLS: dict[str, dict[str, Cell]] = {
    "in use": {
        "extension": ("applied", EXTENDED),
        "custody transfer": HANDED_ON,
        "recall": ("applied", {**BACK, "causes": ["recalled"]}),
        "purpose change": OTHER_PURPOSE,
        "problem": ("copy-frozen, then answered", {"due": DAYS + 1}),
        "violation": found(),
        "return": ("returned: in order", BACK),
        "loss": ("reported", {**GONE, "causes": ["lost"]}),
        "due date": SUSPENDED,
        "grace over": ("done", {**LATE, "causes": ["violation"]}),
    },
    "frozen": {
        # the copies stay closed until the freeze is lifted, which adds its days
        "extension": ("applied", EXTENDED),
        "custody transfer": NOT_NOW,
        "recall": ("applied", {**BACK, "causes": ["problem", "recalled"], "asked": []}),
        "purpose change": OTHER_PURPOSE,
        "problem": ("409 asked-already", {}),
        "violation": found(asked=["problem", "violation"]),
        "return": ("409 copy-frozen", {"asked": ["extension", "problem"]}),
        "loss": ("reported", {**GONE, "causes": ["lost", "problem"], "asked": []}),
        "due date": NO_OP,
        "grace over": NO_OP,
    },
    "overdue": {
        "extension": ("applied", {**EXTENDED, "causes": [], "access": "opens"}),
        "custody transfer": HANDED_ON,
        "recall": ("applied", {**BACK, "causes": ["recalled", "use-period-over"]}),
        "purpose change": OTHER_PURPOSE,
        "problem": ("copy-frozen, then answered", {"due": DAYS + 1}),
        "violation": found("use-period-over"),
        "return": ("returned: returned-late", BACK),
        "loss": ("reported", {**GONE, "causes": ["lost", "use-period-over"]}),
        "due date": NO_OP,
        "grace over": ("done", {**LATE, "causes": ["use-period-over", "violation"]}),
    },
    "violation": {
        "extension": NOT_NOW,
        "custody transfer": HANDED_ON,
        "recall": ("applied", {**BACK, "causes": ["recalled", "use-period-over", "violation"]}),
        "purpose change": OTHER_PURPOSE,
        "problem": ("violation-open, then answered", {}),
        # a second kind is a violation of its own
        "violation": (
            "recorded, held",
            {
                "violations": [*LATE["violations"], FOUND],
                "causes": ["use-period-over", "violation", "violation"],
                "asked": ["violation", "violation"],
            },
        ),
        "return": ("returned: returned-late", BACK),
        "loss": ("reported", {**GONE, "causes": ["lost", "use-period-over", "violation"]}),
        "due date": NO_OP,
        "grace over": NO_OP,
    },
    "awaiting receipt": {
        "extension": NOT_NOW,
        "custody transfer": ("named", {"custodian": NEW_KEEPER}),  # with a new receipt review
        "recall": ("applied", {"ended": "ended", "causes": ["recalled"]}),  # the offer ends
        "purpose change": NOT_NOW,
        "problem": NOT_NOW,
        # nobody has accepted them, so that nothing opens anyway
        "violation": ("recorded, held", {"violations": [FOUND], "causes": ["violation"], "asked": ["violation"]}),
        "return": ("409 not-accepted", {}),
        "loss": ("409 not-accepted", {}),
        "due date": NOT_PERMITTED,
        "grace over": NOT_PERMITTED,
    },
    "returned": {
        "extension": NOT_NOW,
        "custody transfer": NOT_NOW,
        "recall": NOT_NOW,
        "purpose change": NOT_NOW,
        "problem": NOT_NOW,
        "violation": ("recorded, held", {"violations": [FOUND], "causes": ["violation"], "asked": ["violation"]}),
        "return": ("returned: in order", {}),
        "loss": ("409 copy-returned", {}),
        "due date": NO_OP,
        "grace over": NO_OP,
    },
    "custodian left": {
        "extension": ("applied", EXTENDED),
        "custody transfer": ("applied", {"custodian": NEW_KEEPER, "causes": [], "access": "opens"}),
        "recall": ("applied", {**BACK, "causes": ["custodian-left", "recalled"]}),
        "purpose change": OTHER_PURPOSE,
        # nobody could use them anyway: no day is given back
        "problem": ("copy-frozen, then answered", {}),
        "violation": found("custodian-left", violations=[("finding", ["head"])]),
        "return": ("returned: download-not-attested", BACK),
        "loss": ("404 not-found", {}),
        "due date": ("done", {"causes": ["custodian-left", "use-period-over"]}),
        "grace over": (
            "done",
            {**LATE, "violations": [("overdue", ["head"])], "causes": ["custodian-left", "violation"]},
        ),
    },
}

PLAYED = [pytest.param(state, act, id=f"{state}: {act}") for state in STATES for act in ACTS]


@pytest.fixture
def desk_of(tmp_path: Path) -> Iterator[Callable[[str], LoanDesk]]:
    made: list[ReviewDesk] = []

    def make(state: str) -> LoanDesk:
        desk, ids = prepared_desk(f"sqlite:///{tmp_path / 'books.db'}", STATES[state])
        made.append(desk)
        return LoanDesk(desk, ids)

    yield make
    for desk in made:
        desk.close()


@pytest.mark.requirement("R44", "R50", "R51", refuses=True)
@pytest.mark.requirement("R46", "R48")
@pytest.mark.parametrize(("state", "act"), PLAYED)
async def test_what_happens_to_a_loan(state: str, act: str, desk_of: Callable[[str], LoanDesk]) -> None:
    loan = desk_of(state)
    before = register(loan)
    async with Portal(loan.desk) as portal:
        answer = await ACTS[act](Played(loan, portal))
    after = register(loan)
    changed = {name: value for name, value in after.items() if value != before[name]}
    assert (answer, changed) == CELLS[state][act]


@pytest.mark.parametrize("state", STATES)
def test_every_state_has_a_cell_for_every_act(state: str) -> None:
    assert list(CELLS[state]) == list(ACTS)


@pytest.mark.parametrize("state", STATES)
async def test_each_form_opens_or_says_why_not(state: str, desk_of: Callable[[str], LoanDesk]) -> None:
    """The form of each kind, for each of those around the loan, whatever has happened to it."""
    loan = desk_of(state)
    opened = set[str]()
    async with Portal(loan.desk) as portal:
        for person in ("head", NEW_KEEPER, "reviewer", "security-head", *({"keeper"} - {loan_left(loan)})):
            client = await portal.signed_in(person)
            for kind in (code for code, one in KINDS.items() if one.has_form):
                answer = await client.get(f"/matters/new/{kind}?case={loan.application_id}")
                assert answer.status_code in (200, 403, 404, 409), (person, kind, answer.text)
                if answer.status_code == 200:
                    opened.add(kind)
    done = {act.replace(" ", "-") for act, (answer, _) in CELLS[state].items() if answer == "applied"}
    assert opened >= done


def loan_left(loan: LoanDesk) -> str | None:
    """The custodian who has left, and does not sign in any more."""
    return "keeper" if loan.desk.run(suspensions.has_left, "keeper") else None
