"""Show the manuals of the roles, to every logged-in person."""

from fastapi import APIRouter
from fastapi.responses import FileResponse, Response

from services.app import manuals
from services.web.visitor import Visiting

router = APIRouter(prefix="/help")


@router.get("")
async def list_manuals(visitor: Visiting) -> Response:
    """List the manuals, those of one's own posts first."""
    names = manuals.first_for(visitor.posts, visitor.person.department.kind)
    found = [manuals.read(name, visitor.language) for name in names]
    return visitor.page("app/manuals.html", manuals=found)


@router.get("/{manual}")
async def read_manual(visitor: Visiting, manual: str) -> Response:
    """Show a manual in the visitor's language."""
    return visitor.page("app/manual.html", manual=manuals.read(manual, visitor.language))


@router.get("/pictures/{language}/{picture}")
async def show_picture(_visitor: Visiting, language: str, picture: str) -> Response:
    """Return a picture of a manual."""
    return FileResponse(manuals.picture(language, picture), media_type="image/webp")
