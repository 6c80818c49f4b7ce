"""Errors of deliveries: a code for the database, and a sentence that says what to do."""

from datetime import timedelta

from services.runtime.translations import Message

TOO_MANY = "too-many"
ERRORS = {
    "unreachable": Message("The server cannot be reached: check that it is running, and the host and port."),
    "timeout": Message("The server did not respond in time: check its load and the network."),
    "certificate": Message(
        "No encrypted connection could be made: check the server's certificate, the CA file and the security setting."
    ),
    "credentials": Message("The mail server does not accept the username and password: correct the settings."),
    "no-login": Message(
        "The mail server offers no login: check host, port and security, or leave username and password empty."
    ),
    "sender-refused": Message("The mail server does not accept the sender's address: correct the setting."),
    "recipient-refused": Message("The mail server does not accept the recipient's address: correct it under “People”."),
    "no-server": Message("No mail server is set: set one under “Mail server”."),
    "refused": Message("The mail server rejected the mail: contact its administrator."),
    "try-later": Message("The mail server does not accept mail at the moment."),
    "bad-address": Message("The mail address is not valid: correct it under “People”."),
    "no-address": Message("The person has no mail address: add it under “People”."),
    "inactive": Message("The person is no longer active: check who has taken over."),
    "address-refused": Message("The address is in a network that is not allowed, or is not found: correct it."),
    "redirected": Message("The server redirects to another address: set the final one."),
    "http-error": Message("The webhook receiver returned an error: contact its administrator."),
    "robot-refused": Message("The chat service does not accept the message: check the robot in its group."),
    "robot-gone": Message("The chat service no longer knows this robot: end it here and add it again."),
    "robot-signature": Message(
        "The chat service does not accept the signature: check the robot's secret, and the clock of this server."
    ),
    "robot-security": Message(
        "The robot's security settings refuse the message: choose signing, without keywords, and allow this server."
    ),
    "app-person": Message(
        "The chat app does not know this person, or may not write to them: correct the id under “People”, or the "
        "app's visible range. The notice is mailed instead, where the person has an address."
    ),
    "app-credentials": Message("The chat service does not accept the app's id or secret: set the app again."),
    "app-permission": Message(
        "The chat service does not let the app send messages: check its permissions, its number and the addresses of "
        "servers that it trusts."
    ),
    "app-refused": Message("The chat service does not accept the message: contact the app's administrator."),
    "no-chat-id": Message("The person no longer has an id in the chat app: the notice is mailed instead."),
    TOO_MANY: Message("The chat service does not accept further messages at the moment: they are sent later."),
    "channel-unreadable": Message(
        "The key that opened the secret of this robot or app is lost: end it, and set it again."
    ),
    "channel-removed": Message("The robot was ended before the notice was sent."),
    "sender-failed": Message("Sending failed: check the log."),
    "read": Message("It was read in the portal before it was sent."),
    "done": Message("The task was done before the notice was sent."),
}


class Undelivered(Exception):
    """A failed attempt. ``code`` is one of ``ERRORS``, ``detail`` the server's answer.

    ``for_good``: a retry would fail too. ``wait``: no retry before, as the server has asked.
    """

    def __init__(self, code: str, detail: str = "", *, for_good: bool = False, wait: timedelta = timedelta()) -> None:
        super().__init__(f"{code}: {detail}" if detail else code)
        self.code = code
        self.detail = detail
        self.for_good = for_good
        self.wait = wait


def caused_by(error: BaseException | None, kind: type[BaseException]) -> bool:
    """Return whether an error of this kind is among the causes; libraries wrap connection errors."""
    while error is not None:
        if isinstance(error, kind):
            return True
        error = error.__cause__ or error.__context__
    return False
