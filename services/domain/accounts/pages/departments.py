"""Serve the pages of departments."""

from collections.abc import Sequence
from typing import Annotated, Any, ClassVar, get_args

from fastapi import APIRouter, Query
from fastapi.responses import Response

from services.database.tables.people import Department
from services.database.unit_of_work import Database, UnitOfWork
from services.domain.accounts import staff, staff_queries
from services.domain.accounts.api.people import DepartmentBody
from services.domain.accounts.staff import DEPARTMENT_KINDS
from services.domain.accounts.staff_queries import DepartmentRow
from services.runtime.errors import NotFound, Refused
from services.runtime.labels import word
from services.runtime.translations import Message
from services.web import csv as web_csv
from services.web import lists
from services.web.dependencies import GivenDatabase
from services.web.forms import Typed, TypedForm
from services.web.visitor import Visiting, Visitor

router = APIRouter(prefix="/admin/departments")


class ListQuery(lists.ListQuery):
    SORTS: ClassVar = get_args(staff_queries.DepartmentSort)
    FALLING: ClassVar = frozenset({"people"})


@router.get("")
async def list_departments(
    visitor: Visiting, database: GivenDatabase, query: Annotated[ListQuery, Query()]
) -> Response:
    """Show departments with a form; ``form=csv`` exports all matches."""
    if query.as_csv:
        return _csv(
            visitor, await database.read(visitor.actor, staff_queries.list_departments, query.whole(visitor.language))
        )
    return await _page(visitor, database, query=query)


@router.post("")
async def add_department(visitor: Visiting, typed: Typed, database: GivenDatabase) -> Response:
    """Add a department."""
    try:
        body = typed.body(DepartmentBody)
        await database.run(visitor.actor, staff.add_department, **body.model_dump())
    except Refused as refusal:
        return await _page(visitor, database, typed, refusal)
    return visitor.redirect("/admin/departments", Message("The department was added."))


@router.get("/{department_id}")
async def read_department(department_id: str, visitor: Visiting, database: GivenDatabase) -> Response:
    """Show one department and its form."""
    return await _one(visitor, database, department_id)


@router.post("/{department_id}")
async def change_department(department_id: str, visitor: Visiting, typed: Typed, database: GivenDatabase) -> Response:
    """Change a department."""
    try:
        body = typed.body(DepartmentBody)
        await database.run(visitor.actor, staff.change_department, department_id, **body.model_dump())
    except Refused as refusal:
        return await _one(visitor, database, department_id, typed, refusal)
    return visitor.redirect("/admin/departments", Message("Saved."))


async def _page(
    visitor: Visitor,
    database: Database,
    typed: TypedForm | None = None,
    refusal: Refused | None = None,
    *,
    query: ListQuery | None = None,
) -> Response:
    list_query = query or ListQuery()

    def read(uow: UnitOfWork) -> tuple[list[DepartmentRow], list[Department]]:
        return staff_queries.list_departments(uow, list_query.listing(visitor.language)), staff.list_departments(uow)

    lines, departments = await database.read(visitor.actor, read)
    status = refusal.status if refusal else 200
    context = {**_context(departments), **list_query.shown(lines)}
    return visitor.page("accounts/departments.html", status=status, typed=typed, refusal=refusal, **context)


def _csv(visitor: Visitor, lines: Sequence[DepartmentRow]) -> Response:
    translated = visitor.translated
    header = [translated("Department"), translated("Type"), translated("Parent department"), translated("People")]
    rows: list[list[web_csv.Cell]] = [
        [
            lists.named(visitor, line.row),
            word(visitor.language, f"department-{line.row.kind}"),
            lists.named(visitor, line.above) if line.above else "",
            line.people,
        ]
        for line in lines
    ]
    return lists.csv_answer(visitor, translated("Departments"), header, rows)


async def _one(
    visitor: Visitor,
    database: Database,
    department_id: str,
    typed: TypedForm | None = None,
    refusal: Refused | None = None,
) -> Response:
    context = _context(await database.read(visitor.actor, staff.list_departments))
    department = context["by_id"].get(department_id)
    if department is None:
        raise NotFound(Message("department"), department_id)
    status = refusal.status if refusal else 200
    context["department"] = department
    return visitor.page("accounts/department.html", status=status, typed=typed, refusal=refusal, **context)


def _context(departments: list[Department]) -> dict[str, Any]:
    return {"departments": departments, "by_id": {row.id: row for row in departments}, "kinds": DEPARTMENT_KINDS}
