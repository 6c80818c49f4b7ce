"""The page that asks who it is: by password, or at the provider where one is set."""

from fastapi.responses import Response

from services.database.unit_of_work import Database
from services.domain.accounts import identities, staff_queries
from services.domain.accounts.pages.login_visitor import Guest
from services.domain.accounts.single_sign_on.provider import Provider
from services.domain.accounts.staff_queries import DemoAccount
from services.runtime.errors import Refused
from services.runtime.settings import Settings
from services.web.identity import ANONYMOUS


async def first_page(
    door: Guest, database: Database, settings: Settings, provider: Provider | None, refusal: Refused | None = None
) -> Response:
    accounts: list[DemoAccount] = []
    if settings.demo:
        accounts = await database.run(ANONYMOUS, staff_queries.list_demo_accounts)
    chosen = door.request.query_params.get("account", "")
    picked = next((one for one in accounts if one.login == chosen), None)
    there = door.to("/login/provider")
    if refusal is not None and refusal.code in identities.REFUSALS:
        # or the provider would give the same word again, unasked
        there += ("&" if "?" in there else "?") + "prompt=login"
    return door.page(
        "login.html",
        refusal=refusal,
        here="/login",  # the way back from the provider can be taken once
        accounts=accounts,
        picked=picked,
        provider=provider,
        provider_path=there,
        organisation=database.rules.organisation,
    )
