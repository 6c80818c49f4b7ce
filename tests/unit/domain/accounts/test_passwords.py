"""How passwords are hashed in production; all other tests hash them at the least cost."""

import pytest
from argon2 import PasswordHasher, extract_parameters
from argon2.profiles import RFC_9106_LOW_MEMORY

from services.domain.accounts import passwords


def test_a_password_is_hashed_at_the_cost_that_the_standard_recommends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passwords, "PasswordHasher", PasswordHasher)

    assert extract_parameters(passwords.hash_password("a password that is long")) == RFC_9106_LOW_MEMORY


def test_a_password_that_everybody_knows_costs_least_and_is_verified(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(passwords, "PasswordHasher", PasswordHasher)

    published = passwords.hash_published_password("demo-lina")

    assert extract_parameters(published).memory_cost == 8
    assert passwords.verify(published, "demo-lina")
    assert not passwords.verify(published, "demo-linb")
