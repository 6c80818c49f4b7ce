"""The person who uploads a file in a plain form; the CSRF token is checked while the form streams in.

A form that is parsed beforehand is written to a temporary file whole. This one is bounded, and none of the file is
read before the token was checked.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from services.database.unit_of_work import Actor
from services.runtime.errors import Refused
from services.web import cookies
from services.web.dependencies import GivenDatabase
from services.web.forms import CSRF_FIELD
from services.web.identity import ANONYMOUS, GivenIdentity, browser_of, require_csrf
from services.web.visitor import NotSignedIn


@dataclass(frozen=True)
class Uploader:
    """The signed-in person; pass ``check`` to ``upload_body.file_of``. It raises Refused without the form's token."""

    actor: Actor
    token: str

    def check(self, fields: Mapping[str, str]) -> None:
        require_csrf(self.token, fields.get(CSRF_FIELD, ""))


async def uploader(request: Request, database: GivenDatabase, accounts: GivenIdentity) -> Uploader:
    """Raise NotSignedIn without a session, and Refused where the body is no form that could hold a token."""
    token = cookies.read(request, cookies.SESSION)
    if not token:
        raise NotSignedIn
    try:
        actor = await database.run(ANONYMOUS, accounts.actor, token, browser_of(request))
    except Refused as refusal:
        raise NotSignedIn from refusal
    uploading = Uploader(actor, token)
    if not request.headers.get("content-type", "").startswith("multipart/form-data"):
        uploading.check({})
    return uploading


Uploading = Annotated[Uploader, Depends(uploader)]
