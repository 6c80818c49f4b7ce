"""Serve the list of people, its CSV, and the form to add one."""

from typing import Annotated, Any, ClassVar, get_args

from fastapi import APIRouter, Query
from fastapi.responses import Response
from pydantic import Field

from services.database.unit_of_work import Database, UnitOfWork
from services.domain.access.administrators import require_administrator
from services.domain.accounts import people_import, staff, staff_queries
from services.domain.accounts.pages import person as page_person
from services.domain.accounts.schemas import NewPerson
from services.domain.accounts.staff_queries import PeoplePage, PersonRow
from services.domain.applications import directory
from services.domain.staffing import leaving
from services.domain.stages.catalogue import STAGES
from services.runtime import csv_rows
from services.runtime.errors import Refused
from services.runtime.labels import word
from services.web import lists
from services.web.dependencies import GivenDatabase
from services.web.forms import Typed, TypedForm
from services.web.visitor import Visiting, Visitor

router = APIRouter(prefix="/admin")

STATES = {"active": True, "leaving": True, "left": False, "all": None}


class ListQuery(lists.ListQuery):
    """The list's parameters; unknown choices count as not chosen."""

    SORTS: ClassVar = get_args(staff_queries.Sort)

    department: str = Field("", max_length=64)
    post: str = Field("", max_length=64)
    state: str = "active"

    def people_filter(self) -> staff_queries.PeopleFilter:
        return staff_queries.PeopleFilter(
            department_id=self.department or None,
            post=self.post if self.post in STAGES.posts else None,
            active=STATES.get(self.state, True),
            leaving=self.state == "leaving",
        )


Asked = Annotated[ListQuery, Query()]


@router.get("/people")
async def list_people(visitor: Visiting, database: GivenDatabase, query: Asked) -> Response:
    """Show the people."""

    def read(uow: UnitOfWork) -> tuple[PeoplePage, dict[str, Any]]:
        page = staff_queries.list_people(uow, query.people_filter(), query.listing(visitor.language))
        return page, {"departments": directory.departments(uow)}

    page, context = await database.read(visitor.actor, read)
    return visitor.page(
        "accounts/people.html", total=page.total, kinds=STAGES.posts, **query.shown(page.lines), **context
    )


@router.get("/people.csv")
async def people_as_csv(visitor: Visiting, database: GivenDatabase, query: Asked) -> Response:
    """Export the people as CSV."""
    page = await database.read(
        visitor.actor, staff_queries.list_people, query.people_filter(), query.whole(visitor.language)
    )
    header = [visitor.translated(text) for text in HEADER]
    return lists.csv_answer(visitor, visitor.translated(FILE), header, [_row(visitor, line) for line in page.lines])


@router.get("/people/new")
async def new_person(visitor: Visiting, database: GivenDatabase) -> Response:
    """Show the form of a new person."""
    return await _new(visitor, database)


@router.get("/people/list")
async def new_list(visitor: Visiting, database: GivenDatabase) -> Response:
    """Show the form of the CSV import."""
    await database.read(visitor.actor, require_administrator)
    return visitor.page("accounts/people_list.html", columns=people_import.COLUMNS, planned=None)


@router.post("/people/list")
async def import_list(visitor: Visiting, typed: Typed, database: GivenDatabase) -> Response:
    """Show what a CSV file would change, or take it over; show the initial passwords once."""
    file = typed.file("file")
    content = await file.read(csv_rows.MAX_BYTES + 1) if file else b""
    planned, refused = None, None
    try:
        if typed.text("enter") == "true":
            added = await people_import.take_over(database, visitor.actor, content, leave=leaving.leave_by_list)
            return visitor.page("accounts/people_added.html", added=added, headers={"Cache-Control": "no-store"})
        planned = await database.read(visitor.actor, people_import.preview, content)
    except Refused as refusal:
        if refusal.status == 403:
            raise
        refused = refusal
    status = refused.status if refused else 422 if planned and planned.wrong else 200
    return visitor.page(
        "accounts/people_list.html",
        status,
        columns=people_import.COLUMNS,
        planned=planned,
        refusal=refused,
        typed=typed,
    )


@router.post("/people/new")
async def add_person(visitor: Visiting, typed: Typed, database: GivenDatabase) -> Response:
    """Add a person; show the initial password once."""
    try:
        body = typed.body(NewPerson)
        initial = await staff.add_person(database, visitor.actor, body.login, body.details())
    except Refused as refusal:
        if refusal.code == "administrators-only":
            raise
        return await _new(visitor, database, typed, refusal)
    return page_person.first_password(visitor, initial, new=True)


async def _new(
    visitor: Visitor, database: Database, typed: TypedForm | None = None, refusal: Refused | None = None
) -> Response:
    departments = await database.read(visitor.actor, staff.list_departments)
    status = refusal.status if refusal else 200
    return visitor.page(
        "accounts/person_new.html", status=status, departments=departments, typed=typed, refusal=refusal
    )


def _(message: str) -> str:
    """Mark a heading for translation."""
    return message


FILE = _("people")
HEADER = (
    _("Username"),
    _("Full name"),
    _("Department"),
    _("Posts"),
    _("E-mail"),
    _("Status"),
    _("Second factor"),
    _("Confidentiality agreement"),
)


def _row(visitor: Visitor, line: PersonRow) -> list[str | None]:
    language, person = visitor.language, line.person
    department = line.department.name_zh if language == "zh" else line.department.name_en
    return [
        person.login,
        person.name,
        department,
        "; ".join(word(language, post.kind) for post, _department in line.posts),
        person.email,
        word(language, "leaving" if line.leaving else "active" if person.active else "left"),
        word(language, "set-up" if line.enrolled else "not-set-up"),
        word(language, "valid" if line.agreement else "not-valid"),
    ]
