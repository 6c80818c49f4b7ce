"""Failed logins that no account counts, by address."""

from datetime import datetime

from sqlalchemy.orm import Mapped, mapped_column

from services.database.base import Base, new_id


class LoginFailure(Base):
    """A failed login, code or signature, under the key that it is counted by; forgotten after ``lockout.WINDOW``.

    Codes and signatures are kept for ``lockout.LONG_WINDOW``. It does not hold what was typed.
    """

    __tablename__ = "login_failures"

    id: Mapped[str] = mapped_column(primary_key=True, default=new_id)
    address: Mapped[str] = mapped_column(index=True)
    at: Mapped[datetime] = mapped_column(index=True)
