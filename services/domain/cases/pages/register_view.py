"""The register's own page: what its address asks for, and how that is shown."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import ClassVar, Self

from fastapi.responses import Response
from pydantic import model_validator

from services.database.keyset import Page
from services.database.tables.cameras import Camera
from services.database.tables.people import Department
from services.database.unit_of_work import Database, UnitOfWork
from services.domain.applications import directory, forms
from services.domain.applications.directory import FoundCameras
from services.domain.applications.pages import about
from services.domain.cases import register as case_register
from services.domain.cases import saved_searches, states
from services.domain.cases.api.register import RegisterQuestion
from services.domain.cases.saved_searches import Choices
from services.domain.cases.schemas.lists import CaseLine
from services.runtime.errors import Refused
from services.runtime.labels import word
from services.web import csv as web_csv
from services.web import lists
from services.web.forms import TypedForm
from services.web.schemas import Code, SearchText
from services.web.visitor import Visitor

DAYS = ("since", "until", "footage_since", "footage_until")


class ListQuery(lists.PlacedQuery):
    """What the address asks for, as it was typed; what is no choice of ours counts as not chosen.

    ``pick`` is the camera that was chosen among those that ``camera_search`` found, in place of ``camera``.
    """

    SORTS: ClassVar = case_register.SORTS
    FALLING: ClassVar = frozenset({"submitted", "number"})

    state: str = ""
    department: Code = ""
    purpose: str = ""
    since: str = ""
    until: str = ""
    camera: Code = ""
    footage_since: str = ""
    footage_until: str = ""
    incident: SearchText = ""
    document: SearchText = ""
    camera_search: SearchText = ""
    pick: Code = ""

    @model_validator(mode="after")
    def _picked(self) -> Self:
        if self.pick:
            self.camera, self.camera_search, self.pick = self.pick, "", ""
        return self

    @property
    def narrowed_further(self) -> bool:
        """Whether a filter is set that the page shows behind the first ones."""
        return any((self.department, self.purpose, self.since, self.until, self.incident, self.document))

    def question(self) -> RegisterQuestion:
        """As the API asks; Refused where a day is none."""
        return RegisterQuestion(
            text=self.text,
            state=self.state if self.state in states.STATES else "",
            department_id=self.department,
            purpose_category=self.purpose if self.purpose in forms.PURPOSE_CATEGORIES else "",
            since=_day(self.since, "since"),
            until=_day(self.until, "until"),
            camera_id=self.camera,
            footage_since=_day(self.footage_since, "footage_since"),
            footage_until=_day(self.footage_until, "footage_until"),
            incident=self.incident,
            document=self.document,
            sort=next(sort for sort in case_register.SORTS if sort == self.by),
            order="desc" if self.descending else "asc",
        )

    def _parameters(self, *without: str) -> dict[str, str]:
        return super()._parameters("camera_search", *without)


@dataclass(frozen=True)
class _Shown:
    """``camera`` is the one that is filtered by, ``found`` what a search for one finds; None without a search."""

    page: Page[CaseLine]
    departments: Sequence[Department]
    camera: Camera | None
    found: FoundCameras | None
    choices: Choices


async def show(
    visitor: Visitor,
    database: Database,
    wanted: ListQuery,
    *,
    refusal: Refused | None = None,
    typed: TypedForm | None = None,
) -> Response:
    """Return the page, or its CSV; with a refusal, what was typed before it."""
    try:
        question = wanted.question()
    except Refused as error:
        refusal, question = error, wanted.model_copy(update=dict.fromkeys(DAYS, "")).question()
    if wanted.as_csv and refusal is None:  # a refusal is a page, with what was typed
        return _csv(visitor, await database.read(visitor.actor, _whole, question))

    def read(uow: UnitOfWork) -> _Shown:
        page = case_register.read_page(uow, question.search(uow.rules.zone), limit=wanted.LENGTH, place=wanted.place)
        camera = directory.get_camera(uow, wanted.camera) if wanted.camera else None
        looked = directory.find_cameras(uow, wanted.camera_search, retired=True) if wanted.camera_search else None
        return _Shown(page, directory.departments(uow), camera, looked, saved_searches.get_choices(uow))

    shown = await database.read(visitor.actor, read)
    return visitor.page(
        "cases/register.html",
        status=refusal.status if refusal else 200,
        refusal=refusal,
        typed=typed,
        departments=shown.departments,
        states=states.STATES,
        purposes=list(forms.PURPOSE_CATEGORIES),
        camera=shown.camera,
        found_cameras=shown.found,
        searches=shown.choices.searches,
        columns=shown.choices.columns,
        all_columns=saved_searches.COLUMNS,
        longest_name=saved_searches.LONGEST_NAME,
        **wanted.shown_page(shown.page),
    )


def _whole(uow: UnitOfWork, question: RegisterQuestion) -> list[CaseLine]:
    return case_register.list_cases(uow, question.search(uow.rules.zone), limit=lists.MOST_ROWS + 1)


def _(message: str) -> str:
    """Mark a text for translation."""
    return message


def header_of(visitor: Visitor, *columns: str) -> list[str]:
    return [visitor.translated(column) for column in columns]


def _day(text: str, field: str) -> date | None:
    try:
        return date.fromisoformat(text) if text else None
    except ValueError as error:
        raise Refused("day-wrong", "Enter a date such as 2026-01-31.", status=422, field=field) from error


def _csv(visitor: Visitor, lines: Sequence[CaseLine]) -> Response:
    language = visitor.language
    header = header_of(
        visitor,
        _("Number"),
        _("Status"),
        _("Outcome"),
        _("Department"),
        _("Drafter"),
        _("Custodian"),
        _("Purpose"),
        _("Class"),
        _("Items"),
        _("Submitted"),
        _("At risk of overwrite from"),
        _("Due"),
    )
    header += [*about.header(visitor), visitor.translated(_("Incident or letter number"))]
    rows: list[list[web_csv.Cell]] = [
        [
            line.number or "",
            word(language, line.state),
            word(language, line.outcome) if line.outcome else "",
            lists.named(visitor, line.department),
            line.drafter,
            line.custodian or "",
            word(language, line.purpose_category),
            word(language, line.importance) if line.importance else "",
            line.items,
            lists.written(visitor, line.submitted_at),
            lists.written(visitor, line.overwrite_at),
            lists.written(visitor, line.due_at),
            *about.cells(visitor, line.about),
            line.incident_reference,
        ]
        for line in lines
    ]
    return lists.csv_answer(visitor, visitor.translated(_("Register")), header, rows)
