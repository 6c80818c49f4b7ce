"""Signing in at the organisation's provider: there, and back with its word.

The way there begins with a plain link, because browsers hold a form's ``form-action`` against every redirect that
follows it. Nothing is changed by it but this browser's own cookie.
"""

from dataclasses import replace
from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import RedirectResponse, Response
from pydantic import BaseModel, Field

from services.portal import cookies
from services.portal.api.dependencies import Books, GivenProvider, GivenSettings
from services.portal.api.session import ANONYMOUS, place_of
from services.portal.pages.home.routes import own_path
from services.portal.pages.sign_in.door import AtTheDoor
from services.portal.pages.sign_in.first_page import first_page
from services.portal.provider import round_trip
from services.portal.provider.errors import ProviderRefused
from services.portal.provider.provider import CameBack, Provider
from services.portal.provider.round_trip import RoundTrip
from services.register import lock_out, signing_in
from services.register.identities import Vouched
from services.register.signing_in import Place
from services.register.unit import Register
from services.runtime.errors import Refused
from services.runtime.logs import get_logger
from services.runtime.threads import run_in_thread

log = get_logger(__name__)
router = APIRouter(prefix="/sign-in/provider")

COUNTED = ("provider-code-refused", "provider-token")
Text = Annotated[str, Field(max_length=8192)]  # what is longer is no code of any provider's


class Answer(BaseModel):
    """What the provider has the browser bring; it may have more, which is not read."""

    state: Text = ""
    code: Text = ""
    iss: Text = ""
    error: Text = ""

    def came_back(self) -> CameBack:
        return CameBack(self.state, self.code, self.iss, self.error)


@router.get("")
async def lead_there(door: AtTheDoor, books: Books, settings: GivenSettings, provider: GivenProvider) -> Response:
    """To the provider, which leads the browser back to ``come_back``."""
    try:
        address, trip = await _set(provider).begin(door.back, anew="anew" in door.request.query_params)
        sealed = await run_in_thread(trip.sealed, books.secrets)
    except Refused as refusal:
        _tell(refusal)
        return await first_page(door, books, settings, provider, refusal)
    answer = RedirectResponse(address, 303)
    cookies.write(door.request, answer, cookies.ROUND_TRIP, sealed, seconds=int(round_trip.LONGEST.total_seconds()))
    return answer


@router.get("/answer")
async def come_back(
    door: AtTheDoor,
    books: Books,
    settings: GivenSettings,
    provider: GivenProvider,
    told: Annotated[Answer, Query()],
) -> Response:
    """Back from the provider: to the next step, or to the page that was asked for. The way can be taken once."""
    try:
        sealed = cookies.read(door.request, cookies.ROUND_TRIP)
        trip = await run_in_thread(round_trip.opened, books.secrets, sealed, books.real.now())
        door = replace(door, back=own_path(trip.back))
        place = place_of(door.request)
        vouched = await _finish(books, _set(provider), trip, told.came_back(), place)
        answer = door.go_on(await signing_in.sign_in_vouched(books, vouched, place))
    except Refused as refusal:
        _tell(refusal)
        answer = await first_page(door, books, settings, provider, refusal)
    cookies.remove(door.request, answer, cookies.ROUND_TRIP)
    return answer


async def _finish(books: Register, provider: Provider, trip: RoundTrip, came: CameBack, place: Place) -> Vouched:
    """As ``Provider.finish``; whoever tries codes is counted, and stopped before the provider is asked again."""
    await books.run(ANONYMOUS, lock_out.check_address, place.address)
    try:
        return await provider.finish(trip, came)
    except ProviderRefused as refusal:
        if refusal.code in COUNTED:
            await books.run(signing_in.ACTOR, signing_in.refused_by_provider, place, provider.issuer, refusal.code)
        raise


def _set(provider: Provider | None) -> Provider:
    if provider is None:
        raise ProviderRefused("not-set")
    return provider


def _tell(refusal: Refused) -> None:
    if isinstance(refusal, ProviderRefused):
        log.warning("nobody came in by the provider", code=refusal.code, cause=refusal.detail)
