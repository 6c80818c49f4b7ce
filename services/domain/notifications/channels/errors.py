"""Errors of deliveries: a code for the database, and a sentence that says what to do."""

from services.runtime.translations import Message

ERRORS = {
    "unreachable": Message("The server cannot be reached: see that it runs, and that host and port are right."),
    "timeout": Message("The server did not answer in time: look at its load and the network."),
    "certificate": Message(
        "No encrypted connection came about: check the server's certificate, the CA file and the security setting."
    ),
    "credentials": Message("The mail server does not accept user and password: correct the settings."),
    "sender-refused": Message("The mail server does not accept the sender's address: correct the setting."),
    "recipient-refused": Message(
        "The mail server does not accept the recipient's address: correct it in the book of people."
    ),
    "refused": Message("The mail server does not take the mail: ask who runs it."),
    "try-later": Message("The mail server takes nothing for now."),
    "bad-address": Message("The mail address is not written as one: correct it in the book of people."),
    "no-address": Message("The person has no mail address: enter it in the book of people."),
    "inactive": Message("The person is no longer active: see who takes over."),
    "address-refused": Message("The webhook's address leads into a network that is not called: correct the settings."),
    "redirected": Message("The webhook points elsewhere: set the address that answers itself."),
    "http-error": Message("The webhook's receiver answered with an error: ask who runs it."),
    "sender-failed": Message("The sender itself failed: look into the log."),
    "read": Message("It was read in the portal before it was sent."),
    "done": Message("What it is about was done before it was sent."),
}


class Undelivered(Exception):
    """A failed attempt. ``code`` is one of ``ERRORS``, ``detail`` the server's answer.

    ``for_good``: a retry would fail too.
    """

    def __init__(self, code: str, detail: str = "", *, for_good: bool = False) -> None:
        super().__init__(f"{code}: {detail}" if detail else code)
        self.code = code
        self.detail = detail
        self.for_good = for_good


def caused_by(error: BaseException | None, kind: type[BaseException]) -> bool:
    """Return whether an error of this kind is among the causes; libraries wrap connection errors."""
    while error is not None:
        if isinstance(error, kind):
            return True
        error = error.__cause__ or error.__context__
    return False
