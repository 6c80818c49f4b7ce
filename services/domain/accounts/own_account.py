"""Change the acting person's account; each change requires the password and, where there is a factor, its code.

The person is notified of each: a session can be somebody else's.
"""

from dataclasses import replace

from services.database.tables.passkeys import Passkey
from services.database.tables.people import Person
from services.database.unit_of_work import Actor, Database, UnitOfWork
from services.domain.accounts import known_browsers, own_notices, passkeys, second_factors, sessions
from services.domain.accounts import login as account_login
from services.domain.accounts.second_factors import Enrolment
from services.domain.accounts.sessions import IssuedSession
from services.domain.accounts.signatures import signing as signature_signing
from services.domain.accounts.signatures.challenges import RelyingParty
from services.domain.audit import trail as audit_trail
from services.domain.notifications import digest
from services.runtime import translations
from services.runtime.errors import Refused


async def change_password(
    database: Database, actor: Actor, token: str, old: str, new: str, *, code: str | None = None
) -> IssuedSession:
    """Change the password and return the renewed session, in a known browser; all others end.

    Refused for a wrong old password or code (which is counted), without the code of a second factor, for a weak new
    password, and where an administrator has reset or deactivated the account meanwhile.
    """

    def check_old(uow: UnitOfWork) -> tuple[str, str]:
        _authenticate(uow, old, code)
        person = uow.session.get_one(Person, uow.actor.id)
        return person.login, person.password_hash

    login, old_hash = await database.run(actor, check_old)
    new_hash = await account_login.hash_new_password(login, old_hash, new)

    def act(uow: UnitOfWork) -> IssuedSession:
        person = uow.session.get_one(Person, uow.actor.id, with_for_update=True, populate_existing=True)
        # The new password was hashed meanwhile, which takes long enough for a reset to come in between.
        if not person.active or person.password_hash != old_hash:
            raise sessions.no_session()
        account_login.set_password(uow, person, new_hash)
        own_notices.notify(uow, person.id, "own-account-changed")
        sessions.end_all(uow, person.id, keep=token)
        renewed = sessions.renew(uow, sessions.get(uow, token), None)
        return replace(renewed, known_browser=known_browsers.issue(uow, person))

    return await database.run(actor, act)


def change_language(uow: UnitOfWork, locale: str) -> None:
    """Set the language of pages and notices.

    One without a catalogue becomes Chinese.
    """
    person = uow.session.get_one(Person, uow.actor.id)
    person.locale = locale if locale in translations.languages() else "zh"


def choose_digest(uow: UnitOfWork, daily: bool) -> None:
    """Choose one mail a day about open work, or one for each notice.

    Whoever changes to one for each gets at once what came since the last mail of the day.
    """
    if not daily:
        digest.write_last(uow, str(uow.actor.id))
    uow.session.get_one(Person, uow.actor.id).digest = daily


def begin_second_factor(uow: UnitOfWork, password: str, code: str | None = None) -> Enrolment:
    """Begin to enrol a second factor, or to replace the present one."""
    _authenticate(uow, password, code)
    return second_factors.begin_enrolment(uow, uow.actor.id)


def confirm_second_factor(uow: UnitOfWork, token: str, code: str) -> list[str]:
    """Enrol the second factor by its first code; other sessions end.

    Returns the recovery codes, which are shown once.
    """
    codes = account_login.enrol(uow, uow.actor.id, code)
    sessions.end_all(uow, uow.actor.id, keep=token)
    return codes


def renew_recovery_codes(uow: UnitOfWork, password: str, code: str | None) -> list[str]:
    """Replace the recovery codes."""
    _authenticate(uow, password, code)
    own_notices.notify(uow, uow.actor.id, "own-account-changed")
    return second_factors.renew_recovery_codes(uow, uow.actor.id)


def end_second_factor(uow: UnitOfWork, password: str, code: str | None) -> None:
    """End the second factor. Refused where the person's posts require one."""
    _authenticate(uow, password, code)
    if second_factors.is_required(uow, uow.actor.id):
        raise Refused(
            "second-factor-required",
            "Your post requires a second factor: replace it with another one instead.",
            status=403,
        )
    second_factors.end(uow, uow.actor.id, "second-factor-ended")
    own_notices.notify(uow, uow.actor.id, "own-account-changed")


def begin_passkey(uow: UnitOfWork, relying_party: RelyingParty, password: str, code: str | None) -> passkeys.Enrolment:
    """Begin to add a passkey, proved by password and code.

    The code is needed where a second factor is enrolled or required.
    """
    methods = signature_signing.authenticate(uow, password, code or None, level="password+totp")
    return passkeys.begin_enrolment(uow, uow.actor.id, relying_party, "+".join(methods))


def remove_passkey(uow: UnitOfWork, passkey_id: str, password: str, code: str | None) -> Passkey:
    """Remove a passkey, proved by password and code: somebody else's session must not take away what signs safely."""
    removed = passkeys.remove(uow, passkey_id)  # first: whose it is not is told so whatever they type
    _authenticate(uow, password, code)
    return removed


def end_other_sessions(uow: UnitOfWork, token: str) -> int:
    """End the acting person's other sessions; return how many."""
    ended = sessions.end_all(uow, uow.actor.id, keep=token)
    if ended:
        audit_trail.record(uow, "sessions-ended", "person", uow.actor.id, count=ended)
    return ended


def _authenticate(uow: UnitOfWork, password: str, code: str | None) -> None:
    """Check the password, and the code where a second factor is enrolled.

    The password alone must not suffice to replace the second factor, or the password itself.
    """
    enrolled = second_factors.get_factor(uow, uow.actor.id) is not None
    signature_signing.authenticate(uow, password, code or None, level="password+totp" if enrolled else "password")
