"""The objects that routes work with: declare a parameter of one of these types, such as ``database: GivenDatabase``.

``create_app`` is given the objects by name: database, settings, store, loan_keys, vault_recipients, trusted_signers,
log_keys, recorders;
turn_clock and demo_footage in a demo, provider with single sign-on, doctor, engine and engine_client where this process
has them.

What only reads the request is ``async``: FastAPI would run it in a thread, which takes longer than all of it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any, Protocol, cast

from fastapi import Depends, Request

from services.database.unit_of_work import Database
from services.recorders.protocol import Recorder
from services.runtime.engine_client import EngineClient
from services.runtime.errors import Refused
from services.runtime.settings import Settings
from services.vault.keys.signer import TrustedSigners
from services.vault.keys.vault_keys import LoanKeys
from services.vault.store.protocol import Store
from services.verifier.notes import VerifierKey


def is_https(request: Request) -> bool:
    """Whether the portal is reached by https, by its public address and not by what a proxy forwards."""
    settings = request.app.state.dependencies.get("settings")
    return isinstance(settings, Settings) and settings.portal.url.startswith("https://")


class OpenRecorder(Protocol):
    """Open a recorder by its kind and configuration; ``recorders.registry.open_recorder`` is one."""

    def __call__(self, kind: str, configuration: Mapping[str, str], /) -> Recorder: ...


@dataclass(frozen=True)
class DemoFootage:
    """The names of some cameras of a demo, and from when to when they were recorded; ``zone`` is theirs."""

    cameras_zh: str
    cameras_en: str
    start: datetime
    end: datetime
    zone: str


VaultRecipients = Callable[[], Sequence[str]]
LogKeys = Callable[[], Sequence[VerifierKey]]
TrustedRoots = Callable[[], TrustedSigners]
TurnClock = Callable[[timedelta], datetime]


def given(request: Request, name: str) -> Any:
    """Return the object that ``create_app`` was given under this name; KeyError without one."""
    return request.app.state.dependencies[name]


async def database(request: Request) -> Database:
    return cast("Database", given(request, "database"))


async def engine_client(request: Request) -> EngineClient | None:
    return cast("EngineClient | None", request.app.state.dependencies.get("engine_client"))


async def settings(request: Request) -> Settings:
    return cast("Settings", given(request, "settings"))


async def store(request: Request) -> Store:
    return cast("Store", given(request, "store"))


async def loan_keys(request: Request) -> LoanKeys:
    return cast("LoanKeys", given(request, "loan_keys"))


async def vault_recipients(request: Request) -> VaultRecipients:
    return cast("VaultRecipients", given(request, "vault_recipients"))


async def log_keys(request: Request) -> LogKeys:
    return cast("LogKeys", given(request, "log_keys"))


async def trusted_signers(request: Request) -> TrustedRoots:
    return cast("TrustedRoots", given(request, "trusted_signers"))


async def recorders(request: Request) -> OpenRecorder:
    return cast("OpenRecorder", given(request, "recorders"))


async def turn_clock(request: Request) -> TurnClock:
    """Return the function that turns the clock; 404 outside a demo."""
    turn = request.app.state.dependencies.get("turn_clock")
    if turn is None:
        raise Refused("no-demo", "The clock can only be changed in a demo.", status=404)
    return cast("TurnClock", turn)


def demo_footage(request: Request) -> Sequence[DemoFootage]:
    """Return what there is to ask for in a demo; nothing elsewhere."""
    return cast("Sequence[DemoFootage]", request.app.state.dependencies.get("demo_footage", ()))


GivenEngineClient = Annotated[EngineClient | None, Depends(engine_client)]
GivenDatabase = Annotated[Database, Depends(database)]
GivenSettings = Annotated[Settings, Depends(settings)]
GivenStore = Annotated[Store, Depends(store)]
GivenLoanKeys = Annotated[LoanKeys, Depends(loan_keys)]
GivenVaultRecipients = Annotated[VaultRecipients, Depends(vault_recipients)]
GivenLogKeys = Annotated[LogKeys, Depends(log_keys)]
GivenTrustedRoots = Annotated[TrustedRoots, Depends(trusted_signers)]
GivenRecorders = Annotated[OpenRecorder, Depends(recorders)]
GivenTurnClock = Annotated[TurnClock, Depends(turn_clock)]
