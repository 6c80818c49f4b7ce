"""The upload of a picture on a page of the set-up: of a camera, or of a plan."""

from collections.abc import Awaitable, Callable

from fastapi.responses import RedirectResponse

from services.runtime.errors import Refused
from services.runtime.translations import Message
from services.web.visitor import flash


async def saved(address: str, save: Callable[[], Awaitable[None]], message: Message) -> RedirectResponse:
    """Save a picture; lead back to ``address`` with ``message``, or with why it was refused.

    Raises Refused for what the person may not do, or what is not there.
    """
    answer = RedirectResponse(address, 303)
    try:
        await save()
    except Refused as refusal:
        if refusal.status in (403, 404):
            raise
        flash(answer, refusal.message, "refused")
    else:
        flash(answer, message)
    return answer
