"""Signing in at the organisation's provider: there, and back with its word.

The way there begins with a plain link, because browsers hold a form's ``form-action`` against every redirect that
follows it. Nothing is changed by it but this browser's own cookie.
"""

from dataclasses import replace
from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import RedirectResponse, Response
from pydantic import BaseModel, Field

from services.database.unit_of_work import Database
from services.domain.accounts import lockout, login
from services.domain.accounts.api.session import client_of
from services.domain.accounts.identities import ProviderIdentity
from services.domain.accounts.login import Client
from services.domain.accounts.pages.login_first_page import first_page
from services.domain.accounts.pages.login_visitor import GivenGuest
from services.domain.accounts.single_sign_on import round_trip
from services.domain.accounts.single_sign_on.dependency import GivenProvider
from services.domain.accounts.single_sign_on.errors import ProviderRefused
from services.domain.accounts.single_sign_on.provider import Callback, Provider
from services.domain.accounts.single_sign_on.round_trip import AuthorizationRequest
from services.runtime.errors import Refused
from services.runtime.logs import get_logger
from services.runtime.threads import run_in_thread
from services.web import cookies
from services.web.dependencies import GivenDatabase, GivenSettings
from services.web.identity import ANONYMOUS
from services.web.visitor import own_path

log = get_logger(__name__)
router = APIRouter(prefix="/login/provider")

COUNTED = ("provider-code-refused", "provider-token")
Text = Annotated[str, Field(max_length=8192)]  # what is longer is no code of any provider's


class Answer(BaseModel):
    """What the provider has the browser bring; it may have more, which is not read."""

    state: Text = ""
    code: Text = ""
    iss: Text = ""
    error: Text = ""

    def came_back(self) -> Callback:
        return Callback(self.state, self.code, self.iss, self.error)


@router.get("")
async def lead_there(
    door: GivenGuest, database: GivenDatabase, settings: GivenSettings, provider: GivenProvider
) -> Response:
    """To the provider, which leads the browser back to ``come_back``."""
    try:
        address, trip = await _set(provider).begin(door.back, anew="prompt" in door.request.query_params)
        sealed = await run_in_thread(trip.sealed, database.secrets)
    except Refused as refusal:
        _tell(refusal)
        return await first_page(door, database, settings, provider, refusal)
    answer = RedirectResponse(address, 303)
    cookies.write(door.request, answer, cookies.ROUND_TRIP, sealed, seconds=int(round_trip.LIFETIME.total_seconds()))
    return answer


@router.get("/callback")
async def come_back(
    door: GivenGuest,
    database: GivenDatabase,
    settings: GivenSettings,
    provider: GivenProvider,
    told: Annotated[Answer, Query()],
) -> Response:
    """Back from the provider: to the next step, or to the page that was asked for. The way can be taken once."""
    try:
        sealed = cookies.read(door.request, cookies.ROUND_TRIP)
        trip = await run_in_thread(round_trip.decrypt, database.secrets, sealed, database.real.now())
        door = replace(door, back=own_path(trip.back))
        place = client_of(door.request)
        vouched = await _finish(database, _set(provider), trip, told.came_back(), place)
        answer = door.go_on(await login.log_in_by_provider(database, vouched, place))
    except Refused as refusal:
        _tell(refusal)
        answer = await first_page(door, database, settings, provider, refusal)
    cookies.remove(door.request, answer, cookies.ROUND_TRIP)
    return answer


async def _finish(
    database: Database, provider: Provider, trip: AuthorizationRequest, came: Callback, place: Client
) -> ProviderIdentity:
    """As ``Provider.finish``; whoever tries codes is counted, and stopped before the provider is asked again."""
    await database.run(ANONYMOUS, lockout.check_address, place.address)
    try:
        return await provider.finish(trip, came)
    except ProviderRefused as refusal:
        if refusal.code in COUNTED:
            await database.run(login.ACTOR, login.record_provider_refusal, place, provider.issuer, refusal.code)
        raise


def _set(provider: Provider | None) -> Provider:
    if provider is None:
        raise ProviderRefused("not-set")
    return provider


def _tell(refusal: Refused) -> None:
    if isinstance(refusal, ProviderRefused):
        log.warning("nobody came in by the provider", code=refusal.code, cause=refusal.detail)
