"""What the doctor says of the provider."""

from services.domain.accounts.single_sign_on.errors import ProviderRefused
from services.domain.accounts.single_sign_on.provider import Provider
from services.runtime.clock import SystemClock
from services.runtime.errors import Fatal
from services.runtime.settings import Settings, variable


async def check_provider(settings: Settings) -> str:
    """One sentence; raises Fatal with what to do. Nobody is signed in for it."""
    if settings.oidc.issuer is None:
        return f"by the passwords of this desk; {variable('oidc.issuer')} leads people to a provider as well"
    provider = Provider(settings, SystemClock())
    try:
        discovered = await provider.check()
    except ProviderRefused as refusal:
        raise Fatal(f"{refusal.detail}; see {variable('oidc.issuer')}") from refusal
    leave = "signing out leads there too" if discovered.end_session else "signing out ends the session here alone"
    return (
        f"{provider.issuer} answers and signs by {', '.join(discovered.algorithms)}; have it know "
        f"{provider.redirect_uri}; {leave}"
    )
