"""The mail channel: a connection and a thread for each mail, so that no server blocks others."""

import smtplib
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from email.message import EmailMessage
from functools import partial

import anyio
import anyio.to_thread

from services.domain.notifications.channels import payloads
from services.domain.notifications.channels.errors import Undelivered, caused_by
from services.domain.notifications.dispatch import OutgoingNotice
from services.runtime.settings import Settings

MAX_WAITS = 6  # a mail may take so many times ``timeout_seconds``: less than the lease


class Mailer:
    """Send by the mail server of the settings; its host is set."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._limiter = anyio.CapacityLimiter(1)

    async def send(self, notice: OutgoingNotice) -> None:
        """Send a notice by mail; raises Undelivered."""
        sender = str(self._settings.needed("notices.mail.sender"))
        message = payloads.build_mail(notice, sender=sender, portal_url=self._settings.portal.url)
        await self._in_thread(partial(_send, self._settings, message))

    async def check(self) -> None:
        """Connect, encrypt and log in as for a mail, and send none; raises Undelivered."""
        await self._in_thread(partial(_check_login, self._settings))

    async def _in_thread(self, act: Callable[[], None]) -> None:
        try:
            with anyio.fail_after(self._settings.notices.timeout_seconds * MAX_WAITS):
                await anyio.to_thread.run_sync(act, limiter=self._limiter, abandon_on_cancel=True)
        except TimeoutError:
            raise Undelivered("timeout") from None


def _send(settings: Settings, message: EmailMessage) -> None:
    with _errors():
        session = _connect(settings)
        try:
            session.send_message(message)
        finally:
            _quit(session)


def _check_login(settings: Settings) -> None:
    with _errors():
        _quit(_connect(settings))


def _connect(settings: Settings) -> smtplib.SMTP:
    mail, timeout = settings.notices.mail, settings.notices.timeout_seconds
    context, host = ssl.create_default_context(cafile=mail.ca_file), str(mail.host)
    # our name is the sender's domain: asking the network for it could take longer than the mail
    name = str(mail.sender).partition("@")[2]
    session: smtplib.SMTP
    if mail.security == "tls":
        session = smtplib.SMTP_SSL(host, mail.port, local_hostname=name, timeout=timeout, context=context)
    else:
        session = smtplib.SMTP(host, mail.port, local_hostname=name, timeout=timeout)
    try:
        if mail.security == "starttls":
            session.starttls(context=context)
        if mail.user is not None and mail.password is not None:
            session.login(mail.user, mail.password.get_secret_value())
    except BaseException:
        session.close()
        raise
    return session


def _quit(session: smtplib.SMTP) -> None:
    """Quit; a server that fails at this has accepted the mail, which is delivered."""
    with suppress(OSError):
        session.quit()
    session.close()


@contextmanager
def _errors() -> Iterator[None]:
    """Turn smtplib's errors into Undelivered; a 5xx refusal of the mail itself is for good."""
    try:
        yield
    except smtplib.SMTPAuthenticationError as error:
        raise Undelivered("credentials", _answer_text(error.smtp_code, error.smtp_error)) from error
    except smtplib.SMTPRecipientsRefused as error:
        raise _refused("recipient-refused", *next(iter(error.recipients.values()))) from error
    except smtplib.SMTPSenderRefused as error:
        raise Undelivered("sender-refused", _answer_text(error.smtp_code, error.smtp_error)) from error
    except smtplib.SMTPDataError as error:
        raise _refused("refused", error.smtp_code, error.smtp_error) from error
    except smtplib.SMTPNotSupportedError as error:
        raise Undelivered("certificate", str(error)) from error
    except smtplib.SMTPResponseException as error:
        raise Undelivered("try-later", _answer_text(error.smtp_code, error.smtp_error)) from error
    except ssl.SSLError as error:
        raise Undelivered("certificate", error.reason or str(error)) from error
    except OSError as error:
        if caused_by(error, TimeoutError):
            raise Undelivered("timeout") from error
        raise Undelivered("unreachable", error.strerror or str(error)) from error


def _refused(code: str, status: int, words: bytes | str) -> Undelivered:
    for_good = status >= 500
    return Undelivered(code if for_good else "try-later", _answer_text(status, words), for_good=for_good)


def _answer_text(status: int, words: bytes | str) -> str:
    text = words.decode("utf-8", "replace") if isinstance(words, bytes) else words
    return f"{status} {text}"
