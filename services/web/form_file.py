"""Who brings a file in a plain form: the form is taken as it streams in, so its token is checked on the way.

A form that is parsed beforehand is written down whole; here it is bounded, and nothing of it before its token is known.
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
class Bringer:
    """The signed-in person; ``check`` goes to ``upload_body.file_of`` and is Refused without the form's token."""

    actor: Actor
    token: str

    def check(self, fields: Mapping[str, str]) -> None:
        require_csrf(self.token, fields.get(CSRF_FIELD, ""))


async def bringer(request: Request, database: GivenDatabase, accounts: GivenIdentity) -> Bringer:
    """NotSignedIn where nobody is; Refused where the body is no form that could bring a token."""
    token = cookies.read(request, cookies.SESSION)
    if not token:
        raise NotSignedIn
    try:
        actor = await database.run(ANONYMOUS, accounts.actor, token, browser_of(request))
    except Refused as refusal:
        raise NotSignedIn from refusal
    found = Bringer(actor, token)
    if not request.headers.get("content-type", "").startswith("multipart/form-data"):
        found.check({})
    return found


Bringing = Annotated[Bringer, Depends(bringer)]
