"""Refuse logins at the provider, by code, with sentences for people."""

from services.runtime.errors import Refused
from services.runtime.translations import Message

# By code: HTTP status and sentence.
ERRORS = {
    "not-set": (
        404,
        Message("No provider is set here: sign in with the login and password of this desk."),
    ),
    "unreachable": (
        503,
        Message("The provider cannot be reached: try again later, or sign in with the password of this desk."),
    ),
    "timeout": (
        503,
        Message("The provider did not answer in time: try again later, or sign in with the password of this desk."),
    ),
    "invalid-answer": (
        503,
        Message(
            "The provider's answer was not as it must be: tell an administrator, or sign in with "
            "the password of this desk."
        ),
    ),
    "client-refused": (
        503,
        Message(
            "The provider does not accept this desk: have an administrator look at the settings, "
            "or sign in with the password of this desk."
        ),
    ),
    "out-of-date": (
        403,
        Message("This sign-in is over, or began in another browser: sign in again."),
    ),
    "code-refused": (
        403,
        Message("The provider does not know this sign-in any more: sign in again."),
    ),
    "cancelled": (
        403,
        Message("You stopped at the provider, or it does not let you use this desk."),
    ),
    "login-error": (
        403,
        Message("The provider could not sign you in: sign in again, and tell an administrator if it fails again."),
    ),
    "token": (
        403,
        Message("What the provider said did not stand the checks and you are not signed in: tell an administrator."),
    ),
    "login-missing": (
        403,
        Message("The provider does not tell your login: have an administrator look at the settings."),
    ),
}


class ProviderRefused(Refused):
    """A refused login.

    ``detail`` is for the log and the doctor: what was wrong, never a token or a person.
    """

    def __init__(self, code: str, detail: str = "") -> None:
        status, message = ERRORS[code]
        super().__init__(f"provider-{code}", message, status=status)
        self.detail = detail
