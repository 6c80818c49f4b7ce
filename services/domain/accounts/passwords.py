"""Hash passwords, and refuse those that are short, common or the login."""

import secrets
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from services.runtime.errors import Refused
from services.runtime.translations import Message, Text

MIN_LENGTH = 12
MAX_LENGTH = 1000
# Long enough and still guessed first: keyboard runs, digits in order, words of such systems.
COMMON_PASSWORDS = (
    "123456789012", "1234567890123", "12345678901234", "123123123123", "1234567812345678", "012345678901",
    "0123456789012", "1q2w3e4r5t6y", "1qaz2wsx3edc", "1qaz2wsx3edc4rfv", "qwertyuiop12", "qwertyuiop123",
    "qwertyuiop1234", "qwertyuiopasdf", "asdfghjkl123", "asdfghjkl1234", "zxcvbnm12345", "zxcvbnm123456",
    "abcdefghijkl", "abcd12345678", "abcdefg12345", "abc123abc123", "aa1234567890", "password1234", "password12345",
    "password123456", "passwordpassword", "p@ssw0rd1234", "passw0rd1234", "administrator", "administrator1",
    "administrator123", "admin1234567", "admin12345678", "admin123admin123", "welcome12345", "iloveyou1234",
    "woaini1314520", "woaini520520", "5201314520131", "changeme1234", "changemechangeme", "footagedesk1",
    "footage-desk", "footagedesk123", "letmein12345", "test12345678", "root12345678", "huawei12345678",
    "hikvision1234", "hikvision12345", "dahua12345678", "security1234", "security12345", "anquan123456",
)  # fmt: skip


def hash_password(password: str) -> str:
    """Return an argon2id hash for ``Person.password_hash``.

    It takes a tenth of a second: never call it in a transaction.
    """
    return PasswordHasher().hash(password)


def hash_published_password(password: str) -> str:
    """Return a hash at the least cost, for a password that everybody knows.

    The demo's passwords are printed at its start: 22 costly hashes would delay it by seconds, and protect nothing.
    """
    return PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(password)


def verify(password_hash: str, password: str) -> bool:
    """Return whether the password matches; as slow as the hash was."""
    try:
        return PasswordHasher().verify(password_hash, password)
    except (VerificationError, InvalidHashError):
        return False


@cache
def unmatchable_hash() -> str:
    """Return a hash to verify against for unknown logins, as slow."""
    return hash_password(secrets.token_urlsafe(32))


def generate() -> str:
    """Return sixteen unambiguous letters and digits in groups of four.

    Used for initial passwords and recovery codes: 79 random bits.
    """
    letters = "".join(secrets.choice("abcdefghjkmnpqrstuvwxyz23456789") for _ in range(16))
    return "-".join(letters[start : start + 4] for start in range(0, 16, 4))


def check(password: str, login: str) -> None:
    """Refuse a password that is too weak for this login."""
    lowered = password.lower()
    if password != password.strip():
        raise _weak(Message("The password must not begin or end with a space."))
    if len(password) < MIN_LENGTH:
        raise _weak(
            Message(
                "The password needs at least {shortest} characters: a few words in a row are enough.",
                shortest=MIN_LENGTH,
            ),
        )
    if len(password) > MAX_LENGTH:
        raise _weak(Message("The password can have at most {longest} characters.", longest=MAX_LENGTH))
    if lowered in COMMON_PASSWORDS or len(set(lowered)) < 4:
        raise _weak(Message("This password is too common: choose another."))
    if login.lower() in lowered and len(lowered.replace(login.lower(), "")) < MIN_LENGTH // 2:
        raise _weak(Message("The password must not be based on the username: choose another."))


def _weak(message: Text) -> Refused:
    return Refused("password-weak", message, status=422, field="newPassword")
