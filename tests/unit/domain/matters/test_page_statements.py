"""A page about one thing costs few statements, and no more of them when there is more about it."""

from collections.abc import Callable
from pathlib import Path

import pytest
from archived_case import DisposalDesk, archived
from behalf_case import add_legal
from lent_case import attached, besides, lend
from loan_matter import LoanDesk, lent
from multiplied import SUBJECTS, multiply
from on_site_case import COMPANION, OnSiteDesk, lent_on_site
from portal_client import Portal
from prepared_desk import prepared_desk
from provided_case import ProvidingDesk, lent_to_security
from redacted_case import RECIPE, approved, made, watch
from review_desk import ReviewDesk
from sqlalchemy import update
from statements import TRANSACTION, statements
from supervision_desk import Supervised
from test_appeals import Appealed, upheld
from urgent_desk import Urgent

from services.database.tables.applications import Application
from services.database.tables.inspections import InspectedCase
from services.database.tables.matters import Matter
from services.database.tables.rule_changes import RuleChange
from services.database.unit_of_work import UnitOfWork
from services.domain.disclosures import service as disclosures
from services.domain.matters import held, urgents
from services.domain.matters.kinds import KINDS

MOST, MORE = 25, 3
CALLERS = ("head", "operator")  # of an urgent retrieval: who has called it, and who has released it
# each with who opens it
Pages = list[tuple[str, str]]


def _inspection(desk: ReviewDesk) -> Pages:
    """A sample of which one case is inspected, and one that waits has everything that a loan leaves."""
    ids = lend(desk)
    desk.classed(ids["application_id"], number="SQ-2031-900000")
    desk.run(_monthly)
    made = Supervised(desk)
    made.prepare()
    made.appointed()
    inspection_id = made.drawn()
    made.asked(inspection_id)
    first, second = made.cases(inspection_id)[:2]
    made.inspect(first)
    one = update(InspectedCase).where(InspectedCase.id == second.id)
    desk.run(lambda uow: uow.session.execute(one.values(application_id=ids["application_id"])))
    sheets = [(f"/supervision/cases/{row.id}", str(row.assigned_to)) for row in (first, second)]
    pages = [
        f"/supervision/inspections/{inspection_id}",
        *(address for address, _ in sheets),
        "/supervision/inspections",
    ]
    return [*sheets, *((page, "supervisor") for page in pages)]


def _monthly(uow: UnitOfWork) -> None:
    change = {"rule": "inspection_period", "old": "quarter", "new": "month", "reason": "a test"}
    uow.session.add(RuleChange(at=uow.now, changed_by="admin", **change))


def _loan(desk: ReviewDesk) -> Pages:
    """A loan about which everything is asked that its people can ask, and what else belongs to it."""
    loan = LoanDesk(desk, {**lent(desk), **besides(desk)})
    ids = loan.ids
    asked = [
        loan.ask("extension", dueAt=loan.later(2)),
        loan.ask("purpose-change", "head", purpose="用于培训", wayOfUse="view"),
        loan.ask("problem", problem="wrong-camera"),
        loan.ask("recall", "reviewer", ground="leak"),
        ids["matter_id"],
    ]
    desk.run(lambda uow: attached(uow, asked[0], "letter", "", subject="matter"), by="keeper")
    for matter_id in asked[:2]:
        loan.check(matter_id)
    loan.decide(asked[1], "preliminary", "board-head")
    readers = ("keeper", "head", "reviewer", "security-head")
    return [
        (f"/hand-overs/{ids['hand_over_id']}", "keeper"),
        (f"/hand-overs/{ids['hand_over_id']}/custody-log", "reviewer"),
        (f"/hand-overs/{ids['hand_over_id']}/return", "keeper"),
        *((f"/matters/{matter_id}", by) for matter_id in asked for by in readers),
        *((f"/work-orders/{ids['work_order_id']}", by) for by in ("operator", "reviewer")),
        (f"/packages/{ids['package_id']}", "reviewer"),
    ]


def _redaction(desk: ReviewDesk) -> Pages:
    """One redacted copy that is approved, and one that is to be watched."""
    loan = LoanDesk(desk, lent(desk))
    done, first = approved(loan)
    again = loan.ask("redaction", "keeper", copyId=loan.ids["copy_id"], recipe=RECIPE)
    row = made(loan, "e")
    loan.check(again)
    loan.open(again, "redaction-check")
    watch(loan, row, "reviewer2", 0, 600_000)
    return [
        *((f"/matters/{matter_id}", by) for matter_id in (done, again) for by in ("keeper", "reviewer2")),
        *((f"/derivatives/{one.id}/watch", by) for one in (first, row) for by in ("keeper", "reviewer2")),
        *((f"/copies/{loan.ids['copy_id']}/{act}", "keeper") for act in ("watch", "redact", "download")),
    ]


def _disclosure(desk: ReviewDesk) -> Pages:
    """Footage that was fetched for two officers, and what is to be signed for it."""
    loan = ProvidingDesk(desk, lent_to_security(desk))
    matter_id = loan.allowed()
    for _ in range(2):
        act = disclosures.list_download
        fetched = desk.run(act, matter_id, loan.ids["copy_id"], address="x", by="reviewer2")
        desk.run(disclosures.start_download, fetched.id, by="reviewer2")
    pages = (f"/disclosures/{matter_id}", f"/matters/{matter_id}", f"/cases/{loan.application_id}")
    return [(page, by) for page in pages for by in ("reviewer2", "security-head", "inspector")]


def _on_site(desk: ReviewDesk) -> Pages:
    """A loan that is viewed on site, in a sitting that goes on."""
    loan = OnSiteDesk(desk, lent_on_site(desk))
    sitting = loan.begin(address="127.0.0.1")
    loan.view(address="127.0.0.1")
    ids = loan.ids
    return [(f"/hand-overs/{ids['hand_over_id']}", COMPANION), (f"/sittings/{sitting.id}", COMPANION)]


def _recalled(desk: ReviewDesk) -> Pages:
    """A loan that is recalled: neither its copy nor what was redacted of it opens for its custodian."""
    loan = LoanDesk(desk, lent(desk))
    _, row = approved(loan)
    again = loan.ask("redaction", "keeper", copyId=loan.ids["copy_id"], recipe=RECIPE)
    asked = made(loan, "e")
    loan.check(again)
    loan.open(again, "redaction-check")
    loan.ask("recall", "reviewer", ground="leak")
    copy_id = loan.ids["copy_id"]
    return [
        *((f"/copies/{copy_id}/{act}", "keeper") for act in ("watch", "redact")),
        *((f"/derivatives/{one.id}/watch", "keeper") for one in (row, asked)),
    ]


def _not_downloaded(desk: ReviewDesk) -> Pages:
    """A loan that is recalled: its copy is not downloaded."""
    loan = LoanDesk(desk, lent(desk))
    loan.ask("recall", "reviewer", ground="leak")
    return [(f"/copies/{loan.ids['copy_id']}/download", "keeper")]


def _no_sitting(desk: ReviewDesk) -> Pages:
    """A loan that is viewed on site, without a sitting."""
    loan = OnSiteDesk(desk, lent_on_site(desk))
    return [(f"/copies/{loan.ids['copy_id']}/{act}", COMPANION) for act in ("watch", "redact")]


def _no_urgent_view(desk: ReviewDesk) -> Pages:
    """An urgent retrieval whose footage is shown no longer."""
    urgent = Urgent.of(desk, desk.submitted())
    matter_id, copy_id = urgent.shown()
    urgent.later(hours=24)
    desk.run(urgents.end_view, matter_id)
    return [(f"/emergency-copies/{copy_id}/watch", by) for by in CALLERS]


def _violation(desk: ReviewDesk) -> Pages:
    """A violation that was upheld, and its appeal."""
    case = Appealed(desk, upheld(desk))
    appeal = case.appeal()
    case.check(appeal)
    case.open(appeal, "violation-appeal")
    readers = ("keeper", "security-head", "supervisor")
    return [
        *((f"/matters/{matter_id}", by) for matter_id in (case.id, appeal) for by in readers),
        (f"/matters/{appeal}", "manager"),
    ]


def _urgent(desk: ReviewDesk) -> Pages:
    """An urgent retrieval whose footage is shown."""
    matter_id, copy_id = Urgent.of(desk, desk.submitted()).shown()
    seen = [(page, by) for page in (f"/matters/{matter_id}", f"/emergency-copies/{copy_id}/watch") for by in CALLERS]
    return [*seen, (f"/matters/{matter_id}", "security-head")]


def _disposal(desk: ReviewDesk) -> Pages:
    """A batch of masters whose retention is over."""
    due = DisposalDesk(desk, archived(desk))
    due.list_due()
    due.open(due.batch, "disposal")
    return [
        (f"{page}/{due.batch}", by) for page in ("/storage/disposals", "/matters") for by in ("operator2", "operator")
    ]


def _hold(desk: ReviewDesk) -> Pages:
    """A hold that Legal has confirmed, and its lifting that is asked for."""
    add_legal(desk)
    case = desk.submitted()
    loan = LoanDesk(desk, {"application_id": case})
    number = str(desk.run(lambda uow: uow.session.get_one(Application, case).number))
    hold = desk.run(held.place, number, cause="authority", reason="来函", by="security-head")
    placed = str(hold.matter_id)
    loan.agreed(placed, ("legal", "counsel"))
    assert loan.apply(placed)
    lifting = desk.run(held.ask_lift, hold.id, "不再需要", by="security-deputy").id
    return [(f"/matters/{matter_id}", by) for matter_id in (placed, lifting) for by in ("security-head", "counsel")]


def _approval(desk: ReviewDesk) -> Pages:
    """An application that Security decides next."""
    case = desk.submitted(subject_ids=("deputy",))
    desk.decide(desk.opened(case, "preliminary"), "head")
    desk.opened(case, "security")
    return [(f"/cases/{case}", by) for by in ("drafter", "head", "reviewer", "security-head", "supervisor")]


def _form(desk: ReviewDesk) -> Pages:
    """A new form: of who has applied before, and of who has not."""
    desk.submitted(subject_ids=("deputy",))
    return [("/apply", by) for by in ("drafter", "reviewer", "security-head")]


SCENES: dict[str, Callable[[ReviewDesk], Pages]] = {
    "inspection": _inspection,
    "loan": _loan,
    "redaction": _redaction,
    "disclosure": _disclosure,
    "on site": _on_site,
    "violation": _violation,
    "urgent": _urgent,
    "disposal": _disposal,
    "hold": _hold,
    "approval": _approval,
    "form": _form,
}
# whose pages say why the footage does not open
REFUSED: dict[str, Callable[[ReviewDesk], Pages]] = {
    "recalled": _recalled,
    "not downloaded": _not_downloaded,
    "no sitting": _no_sitting,
    "no urgent view": _no_urgent_view,
}


@pytest.mark.parametrize("scene", [*SCENES, *REFUSED])
async def test_a_page_about_one_thing_takes_few_statements_however_much_hangs_on_it(scene: str, tmp_path: Path) -> None:
    desk, pages = prepared_desk(f"sqlite:///{tmp_path / 'books.db'}", (SCENES | REFUSED)[scene])
    counts: dict[tuple[str, str], list[int]] = {page: [] for page in pages}
    async with Portal(desk) as portal:
        clients = {login: await portal.signed_in(login) for login in sorted({login for _, login in pages})}
        # as it is; with more of what hangs on each subject; and with more of the subjects, each with all of that
        for stay in (None, SUBJECTS, ()):
            if stay is not None:
                desk.run(multiply, MORE, stay)
            for page, login in pages:
                with statements(desk.database.engine) as sent:
                    answer = await clients[login].get(page)
                assert answer.status_code == (403 if scene in REFUSED else 200), (page, login, answer.text[:500])
                assert scene not in REFUSED or 'class="button" href=' in answer.text  # the page, and no bare error
                counts[page, login].append(sum(not one.startswith(TRANSACTION) for one in sent))
    assert {page: most for page, found in counts.items() if (most := max(found)) > MOST} == {}
    # a first look may have an event that a later one has not
    assert {page: found for page, found in counts.items() if max(found[1:]) > found[0]} == {}
    desk.close()


def test_each_kind_of_matter_is_in_a_scene(tmp_path: Path) -> None:
    kinds = set()
    for number, lay_out in enumerate(SCENES.values()):
        desk, _ = prepared_desk(f"sqlite:///{tmp_path / str(number)}", lay_out)
        kinds |= {matter.kind for matter in desk.all(Matter)}
        desk.close()
    assert kinds == KINDS.keys()
