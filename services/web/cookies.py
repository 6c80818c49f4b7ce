"""The portal's cookies: hidden from scripts, and not sent with requests of other sites.

``SameSite=Lax`` and not ``Strict``: people come from links in mails, and with ``Strict`` the first page after such a
link would ask them to sign in again. With Lax another site's request carries a cookie only if it is a top-level GET,
which changes nothing here; every act needs a CSRF token as well. Under https the name begins with ``__Host-``, so that
no neighbouring host can set it.
"""

from fastapi import Request, Response

from services.web import language as languages
from services.web.dependencies import is_https

SESSION = "footage_desk_session"
ROUND_TRIP = "footage_desk_oidc"  # on the way to the provider and back
KNOWN = "footage_desk_known"  # who has logged in with this browser before
DOOR = "footage_desk_login"  # before there is a session: the sign-in form's CSRF token is derived from it
YEAR = 31536000  # in seconds


def read(request: Request, cookie: str) -> str | None:
    """Return the cookie's value, or None."""
    return request.cookies.get(_name(request, cookie)) or None


def write(request: Request, response: Response, cookie: str, value: str, *, seconds: int | None = None) -> None:
    """Set the cookie, for the browser's session or for a number of seconds."""
    response.set_cookie(
        _name(request, cookie),
        value,
        max_age=seconds,
        httponly=True,
        samesite="lax",
        secure=is_https(request),
        path="/",
    )


def write_language(request: Request, response: Response, language: str) -> None:
    """Let this browser's pages be in this language for a year; it is no secret, and has one name under https too."""
    secure = is_https(request)
    response.set_cookie(languages.COOKIE, language, max_age=YEAR, samesite="lax", path="/", secure=secure)


def remove(request: Request, response: Response, cookie: str) -> None:
    response.delete_cookie(_name(request, cookie), path="/", httponly=True, samesite="lax", secure=is_https(request))


def _name(request: Request, cookie: str) -> str:
    return f"__Host-{cookie}" if is_https(request) else cookie
