"""The own account: password, language, second factor, passkeys; each change is proved with the password again."""

from services.database.tables.people import Person
from services.database.unit_of_work import Actor, Database, UnitOfWork
from services.domain.accounts import login as account_login
from services.domain.accounts import passkeys, second_factors, sessions
from services.domain.accounts.second_factors import Enrolment
from services.domain.accounts.sessions import IssuedSession
from services.domain.accounts.signatures import signing as signature_signing
from services.domain.accounts.signatures.challenges import RelyingParty
from services.domain.audit import trail as audit_trail
from services.runtime import translations
from services.runtime.errors import Refused


async def change_password(database: Database, actor: Actor, token: str, old: str, new: str) -> IssuedSession:
    """Change the password. All other sessions end, and this one goes on under another token.

    Refused for a wrong old password (which is counted) and for a new one that will not do.
    """

    def prove(uow: UnitOfWork) -> tuple[str, str]:
        signature_signing.authenticate(uow, old)
        person = uow.session.get_one(Person, uow.actor.id)
        return person.login, person.password_hash

    login, before = await database.run(actor, prove)
    hashed = await account_login.hash_new_password(login, before, new)

    def act(uow: UnitOfWork) -> IssuedSession:
        person = uow.session.get_one(Person, uow.actor.id, with_for_update=True)
        account_login.set_password(uow, person, hashed)
        sessions.end_all(uow, person.id, but=token)
        return sessions.renew(uow, sessions.get(uow, token), None)

    return await database.run(actor, act)


def change_language(uow: UnitOfWork, locale: str) -> None:
    """The language of pages and notices: one that has a catalogue, or English."""
    person = uow.session.get_one(Person, uow.actor.id)
    person.locale = locale if locale in translations.languages() else "zh"


def begin_second_factor(uow: UnitOfWork, password: str, code: str | None = None) -> Enrolment:
    """Begin to set up a second factor, or another in the place of the one that is there (with its code)."""
    _prove(uow, password, code)
    return second_factors.begin_enrolment(uow, uow.actor.id)


def confirm_second_factor(uow: UnitOfWork, token: str, code: str) -> list[str]:
    """The app's first code sets it up, and the other sessions end; the recovery codes, told once."""
    codes = second_factors.confirm_enrolment(uow, uow.actor.id, code)
    sessions.end_all(uow, uow.actor.id, but=token)
    return codes


def renew_recovery_codes(uow: UnitOfWork, password: str, code: str | None) -> list[str]:
    """Fresh recovery codes; the old ones open nothing any more."""
    _prove(uow, password, code)
    return second_factors.renew_recovery_codes(uow, uow.actor.id)


def end_second_factor(uow: UnitOfWork, password: str, code: str | None) -> None:
    """Do without a second factor; Refused to those who must have one."""
    _prove(uow, password, code)
    if second_factors.is_required(uow, uow.actor.id):
        raise Refused(
            "second-factor-required",
            "Your post must have a second factor: set up another one in its place instead.",
            status=403,
        )
    second_factors.end(uow, uow.actor.id, "second-factor-ended")


def begin_passkey(uow: UnitOfWork, place: RelyingParty, password: str, code: str | None) -> passkeys.Enrolment:
    """Begin to add a passkey, which will sign in the place of what is given here: a code too where there can be one."""
    given = signature_signing.authenticate(uow, password, code or None, level="password+totp")
    return passkeys.begin_enrolment(uow, uow.actor.id, place, "+".join(given))


def end_session(uow: UnitOfWork, session_id: str) -> None:
    """End one of the own sessions, such as one on a shared computer."""
    sessions.end(uow, session_id)


def end_other_sessions(uow: UnitOfWork, token: str) -> int:
    """End all own sessions but this one; how many."""
    ended = sessions.end_all(uow, uow.actor.id, but=token)
    if ended:
        audit_trail.record(uow, "sessions-ended", "person", uow.actor.id, count=ended)
    return ended


def _prove(uow: UnitOfWork, password: str, code: str | None) -> None:
    """With the code too where there is a second factor: whoever knows the password alone must not replace it."""
    has_one = second_factors.get_factor(uow, uow.actor.id) is not None
    signature_signing.authenticate(uow, password, code or None, level="password+totp" if has_one else "password")
