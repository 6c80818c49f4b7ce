"""The portal's cookies: out of reach of scripts, and of other sites as far as a browser can see to it.

``SameSite=Lax`` and not ``Strict``: people come from links in mails, and with ``Strict`` the first page after such a
link would ask them to sign in again. Lax sends a cookie with no request of another site but a top-level GET, which
changes nothing here; every act carries a CSRF token besides. Under https the name begins with ``__Host-``, so that no
neighbouring host can set it.
"""

from fastapi import Request, Response

from services.web.dependencies import is_https

SESSION = "footage_desk_session"
ROUND_TRIP = "footage_desk_round_trip"  # on the way to the provider and back
DOOR = "footage_desk_door"  # before there is a session: what the sign-in form's token follows from


def read(request: Request, cookie: str) -> str | None:
    """The cookie's value, or None."""
    return request.cookies.get(_name(request, cookie)) or None


def write(request: Request, response: Response, cookie: str, value: str, *, seconds: int | None = None) -> None:
    """Set the cookie, for the browser's session or for so many seconds."""
    response.set_cookie(
        _name(request, cookie),
        value,
        max_age=seconds,
        httponly=True,
        samesite="lax",
        secure=is_https(request),
        path="/",
    )


def remove(request: Request, response: Response, cookie: str) -> None:
    response.delete_cookie(_name(request, cookie), path="/", httponly=True, samesite="lax", secure=is_https(request))


def _name(request: Request, cookie: str) -> str:
    return f"__Host-{cookie}" if is_https(request) else cookie
