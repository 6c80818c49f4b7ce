"""Cameras: the list with search and CSV, one with its form and its picture, bringing a list, retiring."""

from typing import Annotated, ClassVar, get_args

from fastapi import APIRouter, Query, Request
from fastapi.responses import RedirectResponse, Response

from services.portal import stills, tables
from services.portal.api.camera_administration import CameraBody
from services.portal.api.dependencies import Books
from services.portal.api.shapes import Identifier
from services.portal.pages import lists
from services.portal.pages.form_file import Bringing
from services.portal.pages.forms import Typed, TypedForm
from services.portal.pages.visitor import Visiting, Visitor, say_next
from services.register import camera_book, camera_import, recorder_book, reference_pictures
from services.register.recorder_book import RecorderLine
from services.register.unit import Register, Unit
from services.runtime.errors import Refused

router = APIRouter(prefix="/admin/cameras")


class Wanted(lists.Wanted):
    SORTS: ClassVar = get_args(camera_book.Sort)
    FALLING: ClassVar = frozenset({"days"})

    retired: bool = False


@router.get("")
async def list_cameras(visitor: Visiting, books: Books, wanted: Annotated[Wanted, Query()]) -> Response:
    """The cameras, to search and to page through; ``form=csv`` answers with all that match, to be brought back."""
    part = wanted.listing(visitor.language)
    lines = await books.run(visitor.actor, camera_book.cameras, part, retired=wanted.retired)
    if wanted.as_csv:
        return tables.csv_answer("cameras", camera_import.COLUMNS, camera_import.rows_of(lines))
    return visitor.page("admin/cameras.html", **wanted.shown(lines))


@router.get("/new")
async def new_camera(visitor: Visiting, books: Books, recorder: str = "") -> Response:
    """The form of a new camera."""
    await books.run(visitor.actor, recorder_book.may_change)
    return await _form(visitor, books, recorder=recorder)


@router.post("/new")
async def enter_camera(visitor: Visiting, typed: Typed, books: Books) -> Response:
    """Enter it."""
    try:
        row = await books.run(visitor.actor, camera_book.enter, typed.body(CameraBody).entry())
    except Refused as refusal:
        if refusal.status == 403:
            raise
        return await _form(visitor, books, refusal=refusal, typed=typed)
    return visitor.go(f"/admin/cameras/{row.id}", "摄像头已登记。", "The camera is entered.")


@router.get("/list")
async def bring_list(visitor: Visiting, books: Books) -> Response:
    """The form to bring a list."""
    await books.run(visitor.actor, recorder_book.may_change)
    return visitor.page("admin/camera_list.html", tried=None, columns=camera_import.COLUMNS, refusal=None)


@router.post("/list")
async def take_list(visitor: Visiting, typed: Typed, books: Books) -> Response:
    """Try the list, or enter it; every wrong line is named."""
    file, tried, refused = typed.file("file"), None, None
    content = await file.read(camera_import.LARGEST + 1) if file else b""

    def act(unit: Unit) -> camera_import.Tried:
        return camera_import.take(unit, content, dry_run=typed.text("enter") != "true")

    try:
        tried = await books.run(visitor.actor, act)
    except Refused as refusal:
        if refusal.status == 403:
            raise
        refused = refusal
    if tried is not None and tried.done:
        return visitor.go(
            "/admin/cameras",
            f"清单已导入：新增 {tried.new}，更改 {tried.changed}。",
            f"The list is entered: {tried.new} new, {tried.changed} changed.",
        )
    status = refused.status if refused else 422 if tried and tried.wrong else 200
    return visitor.page(
        "admin/camera_list.html", status, tried=tried, columns=camera_import.COLUMNS, refusal=refused, typed=typed
    )


@router.get("/{camera_id}")
async def one_camera(camera_id: str, visitor: Visiting, books: Books) -> Response:
    """One camera and its form."""
    return await _form(visitor, books, camera_id)


@router.post("/{camera_id}")
async def change_camera(camera_id: str, visitor: Visiting, typed: Typed, books: Books) -> Response:
    """Change it from now on."""
    try:
        await books.run(visitor.actor, camera_book.change, camera_id, typed.body(CameraBody).entry())
    except Refused as refusal:
        if refusal.status in (403, 404):
            raise
        return await _form(visitor, books, camera_id, refusal=refusal, typed=typed)
    return visitor.go(f"/admin/cameras/{camera_id}", "已保存。", "Saved.")


@router.post("/{camera_id}/active")
async def retire_camera(camera_id: str, visitor: Visiting, typed: Typed, books: Books) -> Response:
    """Retire it, or take it back."""
    active = typed.text("active") == "true"
    try:
        await books.run(visitor.actor, camera_book.set_active, camera_id, active)
    except Refused as refusal:
        if refusal.status in (403, 404):
            raise
        return await _form(visitor, books, camera_id, refusal=refusal)
    said = (
        ("摄像头已恢复使用。", "The camera is in use again.")
        if active
        else ("摄像头已停用。", "The camera is retired.")
    )
    return visitor.go(f"/admin/cameras/{camera_id}", *said)


@router.post("/{camera_id}/picture")
async def bring_picture(camera_id: Identifier, request: Request, bringing: Bringing, books: Books) -> Response:
    """Bring its reference picture, in the place of the one before."""
    await books.run(bringing.actor, reference_pictures.may_bring, camera_id)
    answer = RedirectResponse(f"/admin/cameras/{camera_id}", 303)
    try:
        picture = await stills.take(request, bringing.check)
        await books.run(bringing.actor, reference_pictures.bring, camera_id, picture)
    except Refused as refusal:
        if refusal.status in (403, 404):
            raise
        say_next(answer, refusal.zh, refusal.en, "refused")
    else:
        say_next(answer, "参考图已保存。", "The reference picture is kept.")
    return answer


@router.post("/{camera_id}/picture/remove")
async def remove_picture(camera_id: str, visitor: Visiting, books: Books) -> Response:
    """Remove its reference picture."""
    await books.run(visitor.actor, reference_pictures.remove, camera_id)
    return visitor.go(f"/admin/cameras/{camera_id}", "参考图已删除。", "The reference picture is removed.")


async def _form(
    visitor: Visitor,
    books: Register,
    camera_id: str | None = None,
    *,
    recorder: str = "",
    refusal: Refused | None = None,
    typed: TypedForm | None = None,
) -> Response:
    def read(unit: Unit) -> tuple[camera_book.Line | None, list[RecorderLine]]:
        line = None if camera_id is None else camera_book.camera(unit, camera_id)
        return line, recorder_book.recorders(unit)

    line, recorders = await books.run(visitor.actor, read)
    return visitor.page(
        "admin/camera.html",
        refusal.status if refusal else 200,
        line=line,
        recorders=[one.row for one in recorders],
        recorder=recorder,
        classes=camera_book.CLASSES,
        refusal=refusal,
        typed=typed,
    )
