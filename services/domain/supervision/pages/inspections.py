"""The pages of the supervision group and its inspections; a case is inspected by the keyboard alone (R60 to R64)."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Response
from pydantic import ConfigDict

from services.database.keyset import LONGEST_PLACE, Page
from services.database.unit_of_work import Database, UnitOfWork
from services.domain.accounts.signatures import signing as signature_signing
from services.domain.accounts.signatures.bodies import Signing
from services.domain.stages.catalogue import STAGES
from services.domain.supervision import case_reviews, groups, queries, service, signing
from services.domain.supervision.case_reviews import Given
from services.domain.supervision.groups import Appointment
from services.domain.supervision.schemas import (
    AnswerBody,
    AnswersBody,
    BeginBody,
    CaseSheetView,
    GroupAnswer,
    InspectionLine,
    InspectionsAnswer,
    InspectionView,
    ProposalBody,
    ReportBody,
)
from services.runtime import labels
from services.runtime.errors import NotFound, Refused
from services.runtime.translations import Message, Text
from services.web import days
from services.web.dependencies import GivenDatabase
from services.web.forms import Typed, TypedForm
from services.web.schemas import Identifier
from services.web.visitor import Visiting, Visitor

router = APIRouter(prefix="/supervision")
WORDED = frozenset({"letters", "forms", "declared", "signed", "stages", "violations"})  # of what a check has seen
PER_PAGE = 25
Place = Annotated[str, Query(max_length=LONGEST_PLACE)]
After = Annotated[int, Query(ge=0, le=10_000_000)]


class _ProposalForm(ProposalBody):
    """As the body of the API, with the last day of the term."""

    until_day: str = ""


class _AnswersForm(AnswersBody):
    """As the body of the API; the fields of the questions are read one by one."""

    model_config = ConfigDict(extra="ignore")


@router.get("/group")
async def show_group(visitor: Visiting, database: GivenDatabase) -> Response:
    """Show the group in office and the one that is proposed."""
    return await _group_page(visitor, database)


@router.post("/group")
async def propose_group(visitor: Visiting, typed: Typed, database: GivenDatabase) -> Response:
    """Propose a group, signed."""
    try:
        until = days.end(typed.text("untilDay"), visitor.zone, "untilDay")
        body = typed.body(_ProposalForm, until=until)
        appointment = Appointment(body.leader_id, body.member_ids, body.until, body.basis)
        await database.run(visitor.actor, groups.propose, appointment, body.proof())
    except Refused as refusal:
        return await _group_page(visitor, database, refusal, typed)
    return visitor.redirect("/supervision/group", Message("Proposed: another manager has to confirm it."))


@router.post("/group/{group_id}/{act}")
async def act_on_group(
    group_id: Identifier, act: str, visitor: Visiting, typed: Typed, database: GivenDatabase
) -> Response:
    """Confirm the proposed group as the second person, or withdraw it."""
    try:
        if act == "confirm":
            await database.run(visitor.actor, groups.confirm, group_id, typed.body(Signing).proof())
            said: Text = Message("The supervision group is in office.")
        elif act == "withdraw":
            await database.run(visitor.actor, groups.withdraw, group_id)
            said = Message("The proposal was withdrawn.")
        else:
            raise NotFound(Message("action"), act)
    except Refused as refusal:
        if refusal.status == 404:
            raise
        return await _group_page(visitor, database, refusal)
    return visitor.redirect("/supervision/group", said)


@router.get("/inspections")
async def list_inspections(visitor: Visiting, database: GivenDatabase, place: Place = "") -> Response:
    """Show the inspections, and the cases that wait for the reader."""
    return await _list_page(visitor, database, place=place)


@router.post("/inspections")
async def begin_inspection(visitor: Visiting, typed: Typed, database: GivenDatabase) -> Response:
    """Begin the inspection of a period, as the leader."""

    def act(uow: UnitOfWork) -> str:
        return service.open_by_leader(uow, typed.body(BeginBody).period).id

    try:
        inspection_id = await database.run(visitor.actor, act)
    except Refused as refusal:
        return await _list_page(visitor, database, refusal, typed)
    return visitor.redirect(
        f"/supervision/inspections/{inspection_id}", Message("The inspection has begun: the sample is being drawn.")
    )


@router.get("/inspections/{inspection_id}")
async def show_inspection(
    inspection_id: Identifier, visitor: Visiting, database: GivenDatabase, after: After = 0
) -> Response:
    """Show progress, sample, findings and report of an inspection."""
    return await _inspection_page(visitor, database, inspection_id, after=after)


@router.post("/inspections/{inspection_id}/signature")
async def sign_report(inspection_id: Identifier, visitor: Visiting, typed: Typed, database: GivenDatabase) -> Response:
    """Sign the report, or refuse to."""

    def act(uow: UnitOfWork) -> None:
        body = typed.body(ReportBody)
        signing.sign(uow, inspection_id, body.outcome, body.report_sha256, proof=body.proof(), reason=body.reason)

    try:
        await database.run(visitor.actor, act)
    except Refused as refusal:
        if refusal.status == 404:
            raise
        return await _inspection_page(visitor, database, inspection_id, refusal, typed)
    return visitor.redirect(f"/supervision/inspections/{inspection_id}", Message("Your answer was signed."))


@router.get("/cases/{inspected_case_id}")
async def show_case(inspected_case_id: Identifier, visitor: Visiting, database: GivenDatabase) -> Response:
    """Show the checklists of one case, with the system's answers."""
    return await _case_page(visitor, database, inspected_case_id)


@router.post("/cases/{inspected_case_id}")
async def inspect_case(
    inspected_case_id: Identifier, visitor: Visiting, typed: Typed, database: GivenDatabase
) -> Response:
    """Sign the answers; the next case of the reader opens then."""

    def act(uow: UnitOfWork) -> tuple[str, str]:
        body = typed.body(_AnswersForm, answers=_answers(typed))
        given = {code: Given(one.answer, one.word) for code, one in body.answers.items()}
        row = case_reviews.decide(uow, inspected_case_id, given, body.sheet_sha256, body.proof())
        own = queries.list_own(uow)
        return row.number, f"/supervision/cases/{own[0].id}" if own else f"/supervision/inspections/{row.inspection_id}"

    try:
        number, following = await database.run(visitor.actor, act)
    except Refused as refusal:
        if refusal.status == 404:
            raise
        return await _case_page(visitor, database, inspected_case_id, refusal, typed)
    return visitor.redirect(following, Message("{number} is inspected.", number=number))


def _answers(typed: TypedForm) -> dict[str, AnswerBody]:
    """Read the answers that were given; a question without one is missing, and refused as such."""
    answers = {}
    for name, value in typed.texts:
        if name.startswith("answer.") and value in ("yes", "no", "not-applicable"):
            code = name.removeprefix("answer.")
            answers[code] = AnswerBody(answer=value, word=typed.text(f"word.{code}") or None)  # type: ignore[arg-type]  # one of the three
    return answers


async def _group_page(
    visitor: Visitor, database: Database, refusal: Refused | None = None, typed: TypedForm | None = None
) -> Response:
    def read(uow: UnitOfWork) -> tuple[GroupAnswer, bool]:
        return queries.read_group(uow), "totp" in signature_signing.methods(uow, groups.LEVEL)

    view, with_code = await database.read(visitor.actor, read)
    status = refusal.status if refusal else 200
    return visitor.page(
        "supervision/group.html", status=status, view=view, with_code=with_code, refusal=refusal, typed=typed
    )


async def _list_page(
    visitor: Visitor,
    database: Database,
    refusal: Refused | None = None,
    typed: TypedForm | None = None,
    *,
    place: str = "",
) -> Response:
    def read(uow: UnitOfWork) -> tuple[InspectionsAnswer, Page[InspectionLine]]:
        found = queries.page_of_inspections(uow, limit=PER_PAGE, place=place)
        return queries.read_inspections(uow, found.lines), found

    view, found = await database.read(visitor.actor, read)
    status = refusal.status if refusal else 200
    return visitor.page(
        "supervision/inspections.html", status=status, view=view, found=found, refusal=refusal, typed=typed
    )


async def _inspection_page(
    visitor: Visitor,
    database: Database,
    inspection_id: str,
    refusal: Refused | None = None,
    typed: TypedForm | None = None,
    *,
    after: int = 0,
) -> Response:
    level = STAGES[signing.STAGE].level

    def read(uow: UnitOfWork) -> tuple[InspectionView, bool]:
        view = queries.read_inspection(uow, inspection_id, after=after)
        return view, "totp" in signature_signing.methods(uow, level)

    view, with_code = await database.read(visitor.actor, read)
    status = refusal.status if refusal else 200
    return visitor.page(
        "supervision/inspection.html",
        status=status,
        view=view,
        with_code=with_code,
        outcomes=STAGES.outcomes,
        stage=STAGES[signing.STAGE],
        refusal=refusal,
        typed=typed,
    )


async def _case_page(
    visitor: Visitor,
    database: Database,
    case_id: str,
    refusal: Refused | None = None,
    typed: TypedForm | None = None,
) -> Response:
    level = STAGES[case_reviews.STAGE].level

    def read(uow: UnitOfWork) -> tuple[CaseSheetView, bool]:
        return queries.read_case(uow, case_id), "totp" in signature_signing.methods(uow, level)

    view, with_code = await database.read(visitor.actor, read)
    status = refusal.status if refusal else 200
    return visitor.page(
        "supervision/case.html",
        status=status,
        view=view,
        with_code=with_code,
        stage=STAGES[case_reviews.STAGE],
        outcome=STAGES.outcomes[case_reviews.INSPECTED],
        seen=lambda question: [(name, _said(visitor, name, value)) for name, value in question.seen.items()],
        refusal=refusal,
        typed=typed,
    )


def _said(visitor: Visitor, name: str, value: Any) -> str:
    """Return what the system's answer rests on in words; of what has an id alone, how many there are."""
    given = value if isinstance(value, list) else [value]
    if name not in WORDED:
        return str(len(given))
    return visitor.translated(", ").join(_word(visitor, one) for one in given) or visitor.translated("nothing")


def _word(visitor: Visitor, value: Any) -> str:
    return labels.word(visitor.language, value) if isinstance(value, str) and labels.has_word(value) else str(value)
