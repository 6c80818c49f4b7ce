"""A person's authenticator app, under a desk's real clock."""

from datetime import timedelta

import pyotp
from review_desk import ReviewDesk

from services.domain.accounts import second_factors


class Authenticator:
    """Enrolled for one person; each ``code`` is of the clock's present step, ``next_code`` lets a step go by first."""

    def __init__(self, desk: ReviewDesk, person_id: str) -> None:
        self._desk = desk
        begun = desk.run(second_factors.begin_enrolment, person_id, by=person_id)
        self.secret = begun.secret
        self.recovery_codes = desk.run(second_factors.confirm_enrolment, person_id, self.code(), by=person_id)

    def code(self, steps: int = 0) -> str:
        return pyotp.TOTP(self.secret).at(self._desk.real.now() + steps * timedelta(seconds=30))

    def next_code(self) -> str:
        self._desk.real.turn(timedelta(seconds=30))
        return self.code()

    def wrong_code(self) -> str:
        """Six digits that are none of the codes near now."""
        near = {self.code(steps) for steps in range(-2, 3)}
        return next(code for code in (f"{number:06}" for number in range(10)) if code not in near)
