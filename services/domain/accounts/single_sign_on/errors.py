"""Refuse logins at the provider, by code, with sentences for people."""

from services.runtime.errors import Refused
from services.runtime.translations import Message, Text

# By code: HTTP status and sentence.
ERRORS = {
    "not-set": (
        404,
        Message("No identity provider is configured: sign in with your username and password for Footage Desk."),
    ),
    "unreachable": (
        503,
        Message(
            "The identity provider cannot be reached: try again later, or sign in with your password for Footage Desk."
        ),
    ),
    "timeout": (
        503,
        Message(
            "The identity provider did not answer in time: try again later, or sign in with your password for "
            "Footage Desk."
        ),
    ),
    "invalid-answer": (
        503,
        Message(
            "The identity provider sent an invalid answer: contact an administrator, or sign in with your "
            "password for Footage Desk."
        ),
    ),
    "client-refused": (
        503,
        Message(
            "The identity provider does not accept Footage Desk: ask an administrator to check the settings, or "
            "sign in with your password for Footage Desk."
        ),
    ),
    "out-of-date": (
        403,
        Message("This sign-in has expired or was started in another browser: sign in again."),
    ),
    "code-refused": (
        403,
        Message("The identity provider no longer accepts this sign-in: sign in again."),
    ),
    "cancelled": (
        403,
        Message("You cancelled at the identity provider, or it does not allow you to use Footage Desk."),
    ),
    "login-error": (
        403,
        Message(
            "The identity provider could not sign you in: sign in again, and contact an administrator if it fails "
            "again."
        ),
    ),
    "token": (
        403,
        Message("Not signed in: the identity provider's answer failed the checks. Contact an administrator."),
    ),
    "login-missing": (
        403,
        Message("The identity provider did not send your username: ask an administrator to check the settings."),
    ),
}


class ProviderRefused(Refused):
    """A refused login.

    ``detail`` is for the log and the doctor: what was wrong, never a token or a person.
    """

    def __init__(self, code: str, detail: str | Text = "") -> None:
        status, message = ERRORS[code]
        super().__init__(f"provider-{code}", message, status=status)
        self.detail = str(detail)
        self.detail_text = detail
