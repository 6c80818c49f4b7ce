"""The mail channel: a connection and a thread for each mail, so that no server blocks others."""

import smtplib
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from email.message import EmailMessage
from functools import partial
from typing import IO

import anyio
import anyio.to_thread
from typing_extensions import Buffer

from services.database.unit_of_work import Actor, Database
from services.domain.notifications.channels import payloads
from services.domain.notifications.channels.calls import addresses_of
from services.domain.notifications.channels.errors import Undelivered, caused_by
from services.domain.notifications.dispatch import OutgoingNotice
from services.domain.notifications.mail_server import MailAccount, open_account
from services.runtime.addresses import Guard, parse_networks
from services.runtime.settings import Settings

READER = Actor("system", "sender")
MAX_WAITS = 6  # a mail may take so many times ``timeout_seconds``: less than the lease
MOST_SAID = 64 << 10  # bytes that a server says in a session, whose lines it decides


class _Said:
    """What a server says, up to ``MOST_SAID``: smtplib keeps each line of an answer that goes on."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._left = MOST_SAID

    def readline(self, size: int) -> bytes:
        """Return the next line, nothing at the end; one that is cut off is none, for its rest may say otherwise."""
        line = self._file.readline(size)
        if not line.endswith(b"\n") and len(line) < size:
            return b""
        self._left -= len(line)
        if self._left < 0:
            raise OSError("its answer has no end")
        return line

    def close(self) -> None:
        self._file.close()


class _Session(smtplib.SMTP):
    """A session with an account's server, at ``address`` where that was checked; remembers what the server said."""

    def __init__(self, account: MailAccount, address: str | None, seconds: float) -> None:
        # our name is the sender's domain: asking the network for it could take longer than the mail
        super().__init__(local_hostname=account.sender.partition("@")[2], timeout=seconds)
        self._host = account.host  # for which the certificate is checked
        self._address = address or account.host
        self._encrypt_at_once = account.context if account.security == "tls" else None
        self.taken: tuple[int, bytes] | None = None
        self._line: socket.socket | None = None  # the same connection, so that another thread can end it
        self._over = False

    def hang_up(self) -> None:
        """End the connection from another thread: a server that says little by little would keep this one for hours."""
        self._over = True
        if self._line is not None:
            with suppress(OSError):
                self._line.shutdown(socket.SHUT_RDWR)
            self._line.close()

    def getreply(self) -> tuple[int, bytes]:
        if self.file is None and self.sock is not None:
            self.file = _Said(self.sock.makefile("rb"))
        return super().getreply()

    def data(self, msg: Buffer | str) -> tuple[int, bytes]:
        self.taken = super().data(msg)
        return self.taken

    def _get_socket(self, _host: str, port: int, timeout: float) -> socket.socket:
        plain = socket.create_connection((self._address, port), timeout)
        self._line = plain.dup()
        if self._over:
            plain.close()
            self.hang_up()
            raise TimeoutError
        if self._encrypt_at_once is None:
            return plain
        return self._encrypt_at_once.wrap_socket(plain, server_hostname=self._host)


class Mailer:
    """Send by the mail server of the settings, or else by the one that was set on the page, as it is at each mail."""

    def __init__(self, settings: Settings, database: Database | None = None) -> None:
        self._settings = settings
        self._database = database
        self._guard = Guard(parse_networks(settings.allowed_networks), field="host")
        self._limiter = anyio.CapacityLimiter(1)

    async def send(self, notice: OutgoingNotice) -> str:
        """Send a notice by mail; return what the server said. Raises Undelivered."""
        return await self.send_by(await self._account(), notice)

    async def send_by(self, account: MailAccount, notice: OutgoingNotice) -> str:
        """Send a notice by this server, as ``send`` does."""
        message = payloads.build_mail(notice, sender=account.sender, portal_url=self._settings.portal.url)
        return await self._in_thread(account, partial(_send, message=message))

    async def check(self) -> None:
        """Connect, encrypt and log in as for a mail, and send none; raises Undelivered."""
        await self._in_thread(await self._account(), _greet)

    async def _account(self) -> MailAccount:
        mail = self._settings.notices.mail
        if mail.host is not None:
            return MailAccount.of_settings(mail)
        account = None if self._database is None else await self._database.read(READER, open_account)
        if account is None:
            raise Undelivered("no-server")
        return account

    async def _in_thread(self, account: MailAccount, act: Callable[[_Session], str]) -> str:
        seconds = self._settings.notices.timeout_seconds
        session: _Session | None = None
        try:
            with anyio.fail_after(seconds * MAX_WAITS):
                # what somebody typed is resolved once, and connected to where it was checked
                address = (await addresses_of(self._guard, account.host, account.port))[0] if account.guarded else None
                session = _Session(account, address, seconds)
                work = partial(_in_session, session, account, act)
                return await anyio.to_thread.run_sync(work, limiter=self._limiter, abandon_on_cancel=True)
        except TimeoutError:
            raise Undelivered("timeout") from None
        finally:
            if session is not None:
                session.hang_up()


def _in_session(session: _Session, account: MailAccount, act: Callable[[_Session], str]) -> str:
    with _errors():
        _connect(session, account)
        try:
            return act(session)
        finally:
            _quit(session)


def _send(session: _Session, *, message: EmailMessage) -> str:
    session.send_message(message)
    return _answer_text(*session.taken) if session.taken is not None else ""


def _greet(_session: _Session) -> str:
    return ""


def _connect(session: _Session, account: MailAccount) -> None:
    try:
        _be_greeted(session, account)
        if account.security == "starttls":
            _encrypt(session, account.context)
        if account.username is not None and account.password is not None:
            _log_in(session, account.username, account.password)
    except BaseException:
        session.close()
        raise


def _be_greeted(session: _Session, account: MailAccount) -> None:
    code, words = session.connect(account.host, account.port)
    if code != 220:
        raise smtplib.SMTPConnectError(code, words)


def _encrypt(session: _Session, context: ssl.SSLContext) -> None:
    """Encrypt the session; a server that refuses to is none without encryption."""
    session.ehlo_or_helo_if_needed()
    try:
        session.starttls(context=context)
    except smtplib.SMTPNotSupportedError as error:
        raise Undelivered("certificate", str(error)) from error
    except smtplib.SMTPResponseException as error:
        raise Undelivered("certificate", _answer_text(error.smtp_code, error.smtp_error)) from error


def _log_in(session: _Session, username: str, password: str) -> None:
    try:
        session.login(username, password)
    except (smtplib.SMTPResponseException, smtplib.SMTPServerDisconnected):
        raise
    except smtplib.SMTPException as error:  # it offers none, or none of the ways that are known here
        raise Undelivered("no-login", str(error)) from error


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
        known = "credentials" if error.smtp_code >= 500 else "try-later"
        raise Undelivered(known, _answer_text(error.smtp_code, error.smtp_error)) from error
    except smtplib.SMTPRecipientsRefused as error:
        raise _refused("recipient-refused", *next(iter(error.recipients.values()))) from error
    except smtplib.SMTPSenderRefused as error:
        known = "sender-refused" if error.smtp_code >= 500 else "try-later"
        raise Undelivered(known, _answer_text(error.smtp_code, error.smtp_error)) from error
    except smtplib.SMTPDataError as error:
        raise _refused("refused", error.smtp_code, error.smtp_error) from error
    except smtplib.SMTPResponseException as error:  # before the mail: what is no answer of a mail server has -1
        known = "unreachable" if error.smtp_code < 0 else "refused" if error.smtp_code >= 500 else "try-later"
        raise Undelivered(known, _answer_text(error.smtp_code, error.smtp_error)) from error
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
