"""The own account: password, language, second factor, passkeys; each change is proved with the password again."""

from services.database.tables.people import Person
from services.database.unit_of_work import Actor, Register, Unit
from services.domain.accounts import login as account_login
from services.domain.accounts import passkeys, second_factors, sessions
from services.domain.accounts.second_factors import Enrolment
from services.domain.accounts.sessions import SignedIn
from services.domain.accounts.signatures import signing as signature_signing
from services.domain.accounts.signatures.challenges import Place
from services.domain.audit import trail as audit_trail
from services.runtime.errors import Refused


async def change_password(register: Register, actor: Actor, token: str, old: str, new: str) -> SignedIn:
    """Change the password. All other sessions end, and this one goes on under another token.

    Refused for a wrong old password (which is counted) and for a new one that will not do.
    """

    def prove(unit: Unit) -> tuple[str, str]:
        signature_signing.prove(unit, old)
        person = unit.session.get_one(Person, unit.actor.id)
        return person.login, person.password_hash

    login, before = await register.run(actor, prove)
    hashed = await account_login.hash_of(login, before, new)

    def act(unit: Unit) -> SignedIn:
        person = unit.session.get_one(Person, unit.actor.id, with_for_update=True)
        account_login.set_password(unit, person, hashed)
        sessions.end_all(unit, person.id, but=token)
        return sessions.renew(unit, sessions.current(unit, token), None)

    return await register.run(actor, act)


def change_language(unit: Unit, locale: str) -> None:
    """The language of pages and notices: zh or en."""
    person = unit.session.get_one(Person, unit.actor.id)
    person.locale = "en" if locale == "en" else "zh"


def begin_second_factor(unit: Unit, password: str, code: str | None = None) -> Enrolment:
    """Begin to set up a second factor, or another in the place of the one that is there (with its code)."""
    _prove(unit, password, code)
    return second_factors.begin(unit, unit.actor.id)


def confirm_second_factor(unit: Unit, token: str, code: str) -> list[str]:
    """The app's first code sets it up, and the other sessions end; the recovery codes, told once."""
    codes = second_factors.confirm(unit, unit.actor.id, code)
    sessions.end_all(unit, unit.actor.id, but=token)
    return codes


def renew_recovery_codes(unit: Unit, password: str, code: str | None) -> list[str]:
    """Fresh recovery codes; the old ones open nothing any more."""
    _prove(unit, password, code)
    return second_factors.new_recovery_codes(unit, unit.actor.id)


def end_second_factor(unit: Unit, password: str, code: str | None) -> None:
    """Do without a second factor; Refused to those who must have one."""
    _prove(unit, password, code)
    if second_factors.required(unit, unit.actor.id):
        raise Refused(
            "second-factor-required",
            "您的岗位必须使用二次验证，不能解除。",
            "Your post must have a second factor: set up another one in its place instead.",
            status=403,
        )
    second_factors.end(unit, unit.actor.id, "second-factor-ended")


def begin_passkey(unit: Unit, place: Place, password: str, code: str | None) -> passkeys.Enrolment:
    """Begin to add a passkey, which will sign in the place of what is given here: a code too where there can be one."""
    given = signature_signing.prove(unit, password, code or None, level="password+totp")
    return passkeys.begin(unit, unit.actor.id, place, "+".join(given))


def end_session(unit: Unit, sign_in_id: str) -> None:
    """End one of the own sessions, such as one on a shared computer."""
    sessions.end_one(unit, sign_in_id)


def end_other_sessions(unit: Unit, token: str) -> int:
    """End all own sessions but this one; how many."""
    ended = sessions.end_all(unit, unit.actor.id, but=token)
    if ended:
        audit_trail.record(unit, "sessions-ended", "person", unit.actor.id, count=ended)
    return ended


def _prove(unit: Unit, password: str, code: str | None) -> None:
    """With the code too where there is a second factor: whoever knows the password alone must not replace it."""
    has_one = second_factors.enrolled(unit, unit.actor.id) is not None
    signature_signing.prove(unit, password, code or None, level="password+totp" if has_one else "password")
