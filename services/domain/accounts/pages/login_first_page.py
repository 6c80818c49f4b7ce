"""Show the login page: by password, or at the provider."""

from collections import Counter
from collections.abc import Mapping

from fastapi.responses import Response

from services.database.unit_of_work import Database
from services.domain.accounts import identities, staff_queries
from services.domain.accounts.pages.login_visitor import Guest
from services.domain.accounts.single_sign_on.provider import Provider
from services.domain.accounts.staff_queries import DemoAccount
from services.domain.cases import waiting
from services.runtime.errors import Refused
from services.runtime.settings import Settings
from services.web.dependencies import demo_footage
from services.web.identity import ANONYMOUS


async def first_page(
    guest: Guest, database: Database, settings: Settings, provider: Provider | None, refusal: Refused | None = None
) -> Response:
    """Show the login page, with demo accounts in a demo."""
    accounts: list[DemoAccount] = []
    work: Mapping[str, Counter[str]] = {}
    if settings.demo:
        accounts = await database.run(ANONYMOUS, staff_queries.list_demo_accounts)
        work = await database.read(ANONYMOUS, waiting.count_work)
    login = guest.request.query_params.get("account", "")
    chosen_account = next((account for account in accounts if account.login == login), None)
    provider_path = guest.with_next("/login/provider")
    if refusal is not None and refusal.code in identities.REFUSALS:
        # otherwise the provider would answer with the same person at once
        provider_path += ("&" if "?" in provider_path else "?") + "prompt=login"
    return guest.page(
        "login.html",
        refusal=refusal,
        here="/login",  # the provider's callback cannot be repeated
        accounts=accounts,
        work=work,
        footage=demo_footage(guest.request),
        chosen_account=chosen_account,
        provider=provider,
        provider_path=provider_path,
        organisation=database.rules.organisation,
    )
