"""Passwords that are hashed in a tenth of a millisecond: as in production they take 0.1 s of the processor each."""

from argon2 import PasswordHasher

from services.domain.accounts import passwords

CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


def use_cheap_passwords() -> None:
    """Hash every password of this process at the least cost; a verifier reads the cost from the hash."""
    passwords.PasswordHasher = lambda **_: CHEAP  # type: ignore[assignment, misc]
