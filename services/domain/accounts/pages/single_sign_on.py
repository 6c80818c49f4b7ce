"""Serve the login at the organisation's provider: redirect and callback.

It starts with a plain link, because browsers apply a form's ``form-action`` to every redirect that follows. A GET
changes nothing but this browser's cookie.
"""

from dataclasses import replace
from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import RedirectResponse, Response
from pydantic import BaseModel, Field

from services.database.unit_of_work import Database
from services.domain.accounts import lockout, login
from services.domain.accounts.api.session import client_of
from services.domain.accounts.client import Client
from services.domain.accounts.identities import ProviderIdentity
from services.domain.accounts.pages.login_first_page import first_page
from services.domain.accounts.pages.login_visitor import GivenGuest
from services.domain.accounts.single_sign_on import authorization_request
from services.domain.accounts.single_sign_on.authorization_request import AuthorizationRequest
from services.domain.accounts.single_sign_on.errors import ProviderRefused
from services.domain.accounts.single_sign_on.provider import Callback, GivenProvider, Provider
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
Text = Annotated[str, Field(max_length=8192)]  # no provider's code is longer


class Answer(BaseModel):
    """The provider's callback parameters; others are ignored."""

    state: Text = ""
    code: Text = ""
    iss: Text = ""
    error: Text = ""

    def callback(self) -> Callback:
        return Callback(self.state, self.code, self.iss, self.error)


@router.get("")
async def begin_login(
    guest: GivenGuest, database: GivenDatabase, settings: GivenSettings, provider: GivenProvider
) -> Response:
    """Redirect to the provider, which redirects to ``finish_login``."""
    try:
        address, request = await _require_provider(provider).begin(
            guest.next_path, reauthenticate="prompt" in guest.request.query_params
        )
        cookie = await run_in_thread(request.encrypt, database.secrets)
    except Refused as refusal:
        _log_refusal(refusal)
        return await first_page(guest, database, settings, provider, refusal)
    answer = RedirectResponse(address, 303)
    cookies.write(
        guest.request, answer, cookies.ROUND_TRIP, cookie, seconds=int(authorization_request.LIFETIME.total_seconds())
    )
    return answer


@router.get("/callback")
async def finish_login(
    guest: GivenGuest,
    database: GivenDatabase,
    settings: GivenSettings,
    provider: GivenProvider,
    answer: Annotated[Answer, Query()],
) -> Response:
    """Check the callback, once; redirect to the next step or requested page."""
    try:
        cookie = cookies.read(guest.request, cookies.ROUND_TRIP)
        request = await run_in_thread(authorization_request.decrypt, database.secrets, cookie, database.real.now())
        guest = replace(guest, next_path=own_path(request.next_path))
        client = client_of(guest.request)
        identity = await _finish(database, _require_provider(provider), request, answer.callback(), client)
        response = guest.continue_login(await login.log_in_by_provider(database, identity, client))
    except Refused as refusal:
        _log_refusal(refusal)
        response = await first_page(guest, database, settings, provider, refusal)
    cookies.remove(guest.request, response, cookies.ROUND_TRIP)
    return response


async def _finish(
    database: Database, provider: Provider, request: AuthorizationRequest, callback: Callback, client: Client
) -> ProviderIdentity:
    """Finish the login at the provider.

    Failures are counted by address, and a locked address is refused before the provider is asked.
    """
    await database.run(ANONYMOUS, lockout.check_address, client.address)
    try:
        return await provider.finish(request, callback)
    except ProviderRefused as refusal:
        if refusal.code in COUNTED:
            await database.run(login.ACTOR, login.record_provider_refusal, client, provider.issuer, refusal.code)
        raise


def _require_provider(provider: Provider | None) -> Provider:
    if provider is None:
        raise ProviderRefused("not-set")
    return provider


def _log_refusal(refusal: Refused) -> None:
    if isinstance(refusal, ProviderRefused):
        log.warning("a login at the provider failed", code=refusal.code, cause=refusal.detail)
