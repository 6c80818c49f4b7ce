"""The file of a plain form, for browsers without scripts: its token is checked before its first byte is taken."""

from typing import Any
from zoneinfo import ZoneInfo, available_timezones

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from services.database.tables.uploads import Upload
from services.domain.applications.api.uploads import GivenReceiver, UploadBody
from services.domain.retrieval import uploads
from services.runtime import local_times
from services.runtime.errors import NotFound, Refused
from services.web import upload_body
from services.web.dependencies import GivenDatabase, GivenSettings
from services.web.forms import TypedForm
from services.web.identity import GivenIdentity
from services.web.schemas import Identifier, Line
from services.web.uploader import Uploading
from services.web.visitor import flash

router = APIRouter()


class TypedFacts(UploadBody):
    """As the page asks for them: ``start_local`` is a local time in ``zone``."""

    start_local: Line | None = None


@router.post("/uploads/{upload_id}/content")
async def receive_file(
    upload_id: Identifier,
    request: Request,
    *,
    uploader: Uploading,
    accounts: GivenIdentity,
    database: GivenDatabase,
    settings: GivenSettings,
    place: GivenReceiver,
) -> Response:
    """Take the file as it streams in. The form is not parsed beforehand: that would write it down in the clear."""
    await database.run(uploader.actor, uploads.get_own, upload_id)
    largest = settings.portal.max_upload_mib << 20
    answer = RedirectResponse(f"/uploads/{upload_id}", 303)
    try:
        await place.receive(
            uploader.actor,
            upload_id,
            lambda row: upload_body.file_of(
                request, largest=largest, announced=row.announced_size, check=uploader.check
            ),
            still_allowed=lambda uow: accounts.require_not_ended(uow, uploader.token),
        )
    except NotFound:
        raise
    except Refused as refusal:
        if refusal.code == "csrf":
            raise
        flash(answer, refusal.message, "refused")
    return answer


def local_start(upload: Upload) -> str:
    """Return the stated start as a page's field holds it."""
    if upload.stated_start is None:
        return ""
    local = upload.stated_start.astimezone(ZoneInfo(upload.zone))
    return local.replace(tzinfo=None).isoformat(timespec="seconds")


def start_of(typed: TypedForm, zone: str) -> dict[str, Any]:
    """Return the start that was typed as local time (``startLocal``), in the recording's zone; else empty."""
    local, zone = typed.text("startLocal"), typed.text("zone") or zone
    if not local or zone not in available_timezones():  # the domain refuses such a zone
        return {}
    try:
        return {"start": local_times.moment(local, zone)}
    except Refused as refusal:
        if refusal.code == "time-twice":
            refusal = Refused(
                refusal.code,
                "In {zone} this time occurred twice: enter the start in UTC, with UTC as the time zone.",
                zone=zone,
            )
        raise Refused(refusal.code, refusal.message, status=422, field="startLocal") from refusal
