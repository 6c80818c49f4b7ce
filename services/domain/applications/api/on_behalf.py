"""On whose behalf an application asks: kind, letter and people outside (R21, R58)."""

import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter
from pydantic import AfterValidator, Field

from services.database.tables.applications import Application
from services.database.tables.outsiders import Outsider
from services.database.unit_of_work import UnitOfWork
from services.domain.access import visibility
from services.domain.applications import on_behalf, outsiders
from services.domain.applications.on_behalf import Letter, Named
from services.web.dependencies import GivenDatabase
from services.web.errors import USUAL, problems
from services.web.identity import Acting
from services.web.schemas import Answer, Body, Code, Identifier, Line, Moment, one_line

router = APIRouter(prefix="/api", tags=["applications"])

Text = Annotated[str, Field(max_length=400), AfterValidator(one_line)]


class LetterBody(Body):
    """The letter: its title, number and date as it bears them; ``sealChecked``: the seal was looked at.

    ``first``: how an authority has asked before it came: ``phone`` or ``fax``; null where it lies there.
    """

    title: Text = ""
    number: Text = ""
    date: datetime.date | None = None
    seal_checked: bool = False
    first: Literal["phone", "fax"] | None = None

    def letter(self) -> Letter:
        return Letter(self.title, self.number, self.date, self.seal_checked, self.first)


class OnBehalfBody(Body):
    """``kind``: ``authority``, ``filmed-person`` or ``counterpart``; null removes letter and people."""

    kind: Code | None
    letter: LetterBody = LetterBody()


class OutsiderBody(Body):
    """A person outside. ``cardKind``: ``police-card``, ``work-card``, ``resident-card``, ``lawyer-card``, ``passport``.

    The card's number is sealed; nothing that is read again has more than its end.
    """

    name: Line
    unit: Line
    card_kind: Code
    card_number: Line
    contact: Line


class OutsiderAnswer(Answer):
    """A person outside; ``cardTail`` is the end of the card's number."""

    id: str
    name: str
    unit: str
    card_kind: str
    card_tail: str
    contact: str


class LetterAnswer(Answer):
    title: str | None
    number: str | None
    date: str | None
    seal_checked: bool
    first: str | None


class OnBehalfAnswer(Answer):
    """On whose behalf the application asks now; ``mayEdit``: you can change it.

    ``letterDueAt``: until when the original letter has to be entered; ``mayEnterLetter``: it is lacking and you can.
    """

    kind: str | None
    letter: LetterAnswer | None
    outsiders: list[OutsiderAnswer]
    may_edit: bool
    letter_due_at: Moment | None
    original: dict[str, Any] | None
    may_enter_letter: bool


class CardNumber(Answer):
    """The whole number of a person's card, to compare with the card."""

    id: str
    name: str
    card_kind: str
    card_number: str | None  # null once it was deleted after its time


@router.get("/applications/{application_id}/on-behalf", responses=problems(401, 404))
async def read_on_behalf(application_id: Identifier, actor: Acting, database: GivenDatabase) -> OnBehalfAnswer:
    """Return on whose behalf the application asks."""
    return await database.read(actor, view_of, application_id)


@router.put("/applications/{application_id}/on-behalf", responses=problems(*USUAL))
async def set_on_behalf(
    application_id: Identifier, body: OnBehalfBody, actor: Acting, database: GivenDatabase
) -> OnBehalfAnswer:
    """Say on whose behalf a draft or a correction asks, with the letter."""

    def act(uow: UnitOfWork) -> OnBehalfAnswer:
        on_behalf.set_kind(uow, application_id, body.kind, body.letter.letter())
        return view_of(uow, application_id)

    return await database.run(actor, act)


@router.post("/applications/{application_id}/outsiders", status_code=201, responses=problems(*USUAL))
async def add_outsider(
    application_id: Identifier, body: OutsiderBody, actor: Acting, database: GivenDatabase
) -> OutsiderAnswer:
    """Add a person outside to a draft or a correction."""

    def act(uow: UnitOfWork) -> OutsiderAnswer:
        return OutsiderAnswer.model_validate(on_behalf.add(uow, application_id, Named(**body.model_dump())))

    return await database.run(actor, act)


@router.put("/applications/{application_id}/original-letter", responses=problems(*USUAL))
async def enter_original_letter(
    application_id: Identifier, body: LetterBody, actor: Acting, database: GivenDatabase
) -> OnBehalfAnswer:
    """Enter the original letter of an authority that has asked by telephone or fax, with its seal checked."""

    def act(uow: UnitOfWork) -> OnBehalfAnswer:
        on_behalf.enter_original(uow, application_id, body.letter())
        return view_of(uow, application_id)

    return await database.run(actor, act)


@router.delete("/outsiders/{outsider_id}", status_code=204, responses=problems(*USUAL))
async def remove_outsider(outsider_id: Identifier, actor: Acting, database: GivenDatabase) -> None:
    """Remove a person outside from a draft or a correction."""
    await database.run(actor, on_behalf.remove, outsider_id)


@router.get("/applications/{application_id}/card-numbers", responses=problems(401, 404))
async def read_card_numbers(application_id: Identifier, actor: Acting, database: GivenDatabase) -> list[CardNumber]:
    """Return the whole numbers of the cards, for who decides in the case now, Security and Legal; it is on record."""

    def act(uow: UnitOfWork) -> list[CardNumber]:
        return [
            CardNumber(id=row.id, name=row.name, card_kind=row.card_kind, card_number=number)
            for row, number in on_behalf.card_numbers(uow, application_id)
        ]

    return await database.read(actor, act)


def view_of(uow: UnitOfWork, application_id: str) -> OnBehalfAnswer:
    """Return the view for who may see the application."""
    application = visibility.get_visible(uow, application_id)
    return OnBehalfAnswer(
        kind=application.on_behalf,
        letter=_letter(application),
        outsiders=_people(outsiders.list_of(uow, application_id)),
        may_edit=on_behalf.may_edit(uow, application_id),
        letter_due_at=application.letter_due_at if outsiders.lacks_letter(application) else None,
        original=application.original_letter,
        may_enter_letter=on_behalf.may_enter_original(uow, application),
    )


def _letter(application: Application) -> LetterAnswer | None:
    if application.on_behalf is None:
        return None
    return LetterAnswer(
        title=application.letter_title,
        number=application.letter_number,
        date=application.letter_date,
        seal_checked=bool(application.letter_seal_checked),
        first=application.letter_first,
    )


def _people(rows: list[Outsider]) -> list[OutsiderAnswer]:
    return [OutsiderAnswer.model_validate(row) for row in rows]
