"""Departments: a list, and a form for each."""

from typing import Any

from fastapi import APIRouter
from fastapi.responses import Response

from services.portal.api.dependencies import Books
from services.portal.api.people import DepartmentBody
from services.portal.pages.forms import Typed, TypedForm
from services.portal.pages.visitor import Visiting, Visitor
from services.register import staff
from services.register.people import Department
from services.register.staff import DEPARTMENT_KINDS
from services.register.unit import Register
from services.runtime.errors import NotFound, Refused

router = APIRouter(prefix="/departments")


@router.get("")
async def list_departments(visitor: Visiting, books: Books) -> Response:
    """All departments, and a form for a new one."""
    return await _page(visitor, books)


@router.post("")
async def enter_department(visitor: Visiting, typed: Typed, books: Books) -> Response:
    """Enter a department."""
    try:
        body = typed.body(DepartmentBody)
        await books.run(visitor.actor, staff.enter_department, **body.model_dump())
    except Refused as refusal:
        return await _page(visitor, books, typed, refusal)
    return visitor.go("/admin/departments", "部门已添加。", "The department is entered.")


@router.get("/{department_id}")
async def read_department(department_id: str, visitor: Visiting, books: Books) -> Response:
    """One department to change."""
    return await _one(visitor, books, department_id)


@router.post("/{department_id}")
async def change_department(department_id: str, visitor: Visiting, typed: Typed, books: Books) -> Response:
    """Change a department."""
    try:
        body = typed.body(DepartmentBody)
        await books.run(visitor.actor, staff.change_department, department_id, **body.model_dump())
    except Refused as refusal:
        return await _one(visitor, books, department_id, typed, refusal)
    return visitor.go("/admin/departments", "已保存。", "Saved.")


async def _page(
    visitor: Visitor, books: Register, typed: TypedForm | None = None, refusal: Refused | None = None
) -> Response:
    context = _context(await books.run(visitor.actor, staff.departments))
    status = refusal.status if refusal else 200
    return visitor.page("people/departments.html", status=status, typed=typed, refusal=refusal, **context)


async def _one(
    visitor: Visitor,
    books: Register,
    department_id: str,
    typed: TypedForm | None = None,
    refusal: Refused | None = None,
) -> Response:
    context = _context(await books.run(visitor.actor, staff.departments))
    department = context["by_id"].get(department_id)
    if department is None:
        raise NotFound("部门", "department", department_id)
    status = refusal.status if refusal else 200
    context["department"] = department
    return visitor.page("people/department.html", status=status, typed=typed, refusal=refusal, **context)


def _context(departments: list[Department]) -> dict[str, Any]:
    return {"departments": departments, "by_id": {row.id: row for row in departments}, "kinds": DEPARTMENT_KINDS}
