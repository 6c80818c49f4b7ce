"""Generate and check one-time codes (RFC 6238: SHA-1, six digits, 30 seconds)."""

from datetime import datetime
from hmac import compare_digest

import pyotp

STEP_SECONDS = 30
DRIFT_STEPS = 1  # a phone's clock may be off by one step, RFC 6238 section 5.2
DIGITS = 6


def new_secret() -> str:
    """Return 160 random bits in base 32 (RFC 4226 section 4)."""
    return pyotp.random_base32(32)


def enrolment_uri(secret: str, login: str, organisation: str) -> str:
    """Return the ``otpauth://`` address for the QR code."""
    return pyotp.TOTP(secret).provisioning_uri(name=login, issuer_name=organisation)


def matching_step(secret: str, code: str, real_now: datetime, *, after: int) -> tuple[int | None, bool]:
    """Return the code's time step after ``after``, and whether it was used.

    The step is None for a code that is wrong or used.
    """
    digits = "".join(code.split())
    if len(digits) != DIGITS or not (digits.isascii() and digits.isdigit()):
        return None, False
    totp, now, used = pyotp.TOTP(secret), int(real_now.timestamp()) // STEP_SECONDS, False
    for step in range(now - DRIFT_STEPS, now + DRIFT_STEPS + 1):
        if compare_digest(totp.generate_otp(step), digits):
            if step > after:
                return step, False
            used = True
    return None, used
