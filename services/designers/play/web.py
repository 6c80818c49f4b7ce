"""The pages of a walk: a small application for one designer on this machine alone.

The address holds a secret, because every account of the machine reaches the port: a cookie would not do, which browsers
send to each port of the host. The host that a browser asks for is checked, so that no other name leads here.
"""

import hmac
import secrets
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Depends, FastAPI, Request
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.staticfiles import StaticFiles

from services.designers.drawing import Plane
from services.designers.play import view
from services.designers.play.choices import moved_on
from services.designers.play.coverage import Unvisited
from services.designers.play.diagram import draw
from services.designers.play.models import Beginning, Models
from services.designers.play.session import Session
from services.runtime.errors import Refused
from services.runtime.settings import Settings
from services.web import errors as web_errors
from services.web import language as languages
from services.web.forms import Typed, TypedForm
from services.web.language import Language
from services.web.middleware import RequestLimits, SecurityHeaders
from services.web.templates import render

HOSTS = ("127.0.0.1", "localhost")
SHOWN_STEPS = 40
"""The last steps; all of them are a link away."""
ZONE: str = Settings.model_fields["zone"].default
Act = Callable[[Session, TypedForm], None]


def make_token() -> str:
    return secrets.token_urlsafe(32)


def create_app(session: Session, token: str) -> FastAPI:
    """Build the application of one session; ``token`` is the first part of each address of its pages."""
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None, redirect_slashes=False)
    app.state.session, app.state.token = session, token
    web_errors.install(app, _refusal_page)
    app.add_middleware(RequestLimits)
    app.add_middleware(SecurityHeaders)
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=list(HOSTS), www_redirect=False)
    app.mount("/static", StaticFiles(packages=[("services.web", "static")]))
    app.include_router(router)
    return app


async def _session(request: Request, token: str) -> Session:
    """Return the session; Refused (404) without the secret of its address."""
    if not hmac.compare_digest(token.encode(), request.app.state.token.encode()):
        raise Refused("not-found", "This address does not exist: check it.", status=404)
    session: Session = request.app.state.session
    return session


Playing = Annotated[Session, Depends(_session)]
router = APIRouter(prefix="/{token}")


# The routes are async, though they compute: they come one at a time, and the engine in memory is not for two threads.
@router.get("/")
async def show(request: Request, session: Playing, plane: str = "", every: bool = False) -> Response:
    """Show the walk."""
    return _walk_page(request, session, plane=plane, every=every)


@router.get("/coverage")
async def show_coverage(request: Request, session: Playing, plane: str = "") -> Response:
    """Show the saved walks, and what none of them visited."""
    language = _language(request, session)
    models = session.models
    results = session.results()
    found = session.coverage(results)
    phases: dict[str, list[Unvisited]] = {}
    for one in found.unvisited:
        place = view.plane_of(models, one.process_id, one.element_id)
        phases.setdefault(place, []).append(one)
    tabs = view.tabs(models, {place: len(unvisited) for place, unvisited in phases.items()})
    shown = _shown_plane(models, tabs, plane, view.positions(models, session.walk.case))
    context: dict[str, Any] = {"tabs": tabs, "plane": shown, "diagram": None}
    if shown is not None:
        drawn = _drawn(session, shown, language)
        marks = view.coverage_marks(found, models.simulation.by_id.get(shown.partition(":")[0]))
        links = view.links(models, shown, f"/{request.app.state.token}/coverage?plane=")
        context["diagram"] = draw(drawn, marks, links)
    return _page(
        request, session, "play/coverage.html", {**context, "results": results, "coverage": found, "phases": phases}
    )


@router.get("/changed")
async def changed(session: Playing) -> Response:
    """Return whether the page should offer to load the models again."""
    return JSONResponse({"changed": session.has_changed()})


@router.post("/{act}")
async def do(request: Request, session: Playing, act: str, form: Typed) -> Response:
    """Do what was chosen, and show the walk; what was typed stays where it is refused."""
    if act not in ACTS:
        raise Refused("not-found", "This address does not exist: check it.", status=404)
    try:
        if act not in ("language", "reload"):
            session.require(form.text("at"))
        ACTS[act](session, form)
    except Refused as refusal:
        return _walk_page(request, session, refusal=refusal, typed=form)
    back = "coverage" if form.text("back") == "coverage" else ""
    return RedirectResponse(f"/{request.app.state.token}/{back}", 303)


def _choose(session: Session, form: TypedForm) -> None:
    number = _number(form, "number")
    if number is None:
        raise moved_on()
    session.choose(form.text("choice"), form.text("answer"), number)


def _choose_typed(session: Session, form: TypedForm) -> None:
    choice, answer = form.text("choice"), form.text("answer")
    start = field_name(choice, answer, "")
    typed = {name.removeprefix(start): text for name, text in form.texts if name.startswith(start)}
    any_name = field_name(choice, answer, "any-values")
    try:
        session.choose_typed(choice, answer, typed, any_values=form.text(any_name))
    except Refused as refusal:
        field = any_name if refusal.code == "not-json" else field_name(choice, answer, refusal.field or "")
        raise Refused(refusal.code, refusal.message, status=refusal.status, field=field) from refusal


def field_name(choice: str, answer: str, variable: str) -> str:
    """Return the name of a field: each form of a page has its own."""
    return f"v-{choice}-{answer}-{variable}".replace(".", "-")


def _begin(session: Session, form: TypedForm) -> None:
    kind, _, name = form.text("beginning").partition(" ")
    if not name:
        session.begin()
    elif kind == "message":
        session.begin(Beginning("message", name))
    else:
        session.begin(Beginning("create", name))


def _back(session: Session, form: TypedForm) -> None:
    number = _number(form, "to")
    if number is None:
        session.walk.back()
    else:
        session.back_to(number)


def _number(form: TypedForm, name: str) -> int | None:
    """Return the number of a field; None for any other text, and for digits that no page sends."""
    text = form.text(name)
    return int(text) if text.isascii() and text.isdigit() and len(text) < 9 else None


def _set_language(session: Session, form: TypedForm) -> None:
    session.language = languages.known_or_default(form.text("language"))


ACTS: Mapping[str, Act] = {
    "choose": _choose,
    "typed": _choose_typed,
    "throw": lambda session, form: session.throw(form.text("choice"), form.text("error")),
    "run-on": lambda session, _form: session.run_on(),
    "next": lambda session, _form: session.turn_to_next(),
    "turn": lambda session, form: session.turn_by(form.text("amount")),
    "back": _back,
    "begin": _begin,
    "restore": lambda session, _form: session.restore(),
    "reload": lambda session, _form: session.reload(),
    "save": lambda session, form: session.save(form.text("name"), replaces="replace" in form),
    "open": lambda session, form: session.open(form.text("name")),
    "language": _set_language,
}


def _walk_page(
    request: Request,
    session: Session,
    *,
    plane: str = "",
    every: bool = False,
    refusal: Refused | None = None,
    typed: TypedForm | None = None,
) -> Response:
    language, models, walk = _language(request, session), session.models, session.walk
    positions = view.positions(models, walk.case)
    tabs = view.tabs(models, view.counts(models, positions))
    shown = _shown_plane(models, tabs, plane, positions)
    diagram = None
    if shown is not None:
        marks = view.walk_marks(walk, positions, shown.partition(":")[0], language)
        links = view.links(models, shown, f"/{request.app.state.token}/?plane=")
        diagram = draw(_drawn(session, shown, language), marks, links)
    first = 0 if every else max(0, len(walk.steps) - SHOWN_STEPS)
    steps = [(number, step, view.came_to(models, step)) for number, step in enumerate(walk.steps)][first:]
    choices = session.choices()
    context = {
        "choices": choices,
        "plain_jobs": sum(choice.is_plain_job for choice in choices),
        "positions": positions,
        "dues": view.dues(models, walk.case),
        "scopes": view.scopes(models, walk.steps[-1]),
        "steps": steps[::-1],
        "hidden_steps": first,
        "tabs": tabs,
        "plane": shown,
        "diagram": diagram,
        "beginnings": models.beginnings(),
        "refusal": refusal,
        "typed": typed,
        "field_name": field_name,
    }
    return _page(request, session, "play/walk.html", context, status=200 if refusal is None else refusal.status)


def _shown_plane(
    models: Models, tabs: Sequence[view.Tab], wanted: str, positions: Sequence[view.Position]
) -> str | None:
    """Return the plane to show: the one that is wanted, else where the case is first."""
    known = {tab.id for tab in tabs}
    if wanted in known:
        return wanted
    here = view.first_plane(models, positions)
    return here if here in known else (tabs[0].id if tabs else None)


def _drawn(session: Session, plane: str, language: Language) -> Plane:
    process_id, _, element_id = plane.partition(":")
    drawn = session.models.planes(process_id, "zh" if language == "zh" else "en")
    return next(one for one in drawn if one.element_id == element_id)


def _language(request: Request, session: Session) -> Language:
    return session.language or languages.chosen(request)


def _page(
    request: Request, session: Session, template: str, context: Mapping[str, Any], *, status: int = 200
) -> HTMLResponse:
    language = _language(request, session)
    flash, session.flash = session.flash, None
    shared = {
        "session": session,
        "walk": session.walk,
        "here": f"/{request.app.state.token}/",
        "flash": flash,
        "changed": session.has_changed(),
        "path": request.url.path,
    }
    return HTMLResponse(render(template, language, ZONE, {**shared, **context}), status)


def _refusal_page(request: Request, refusal: Refused) -> Response:
    html = render("play/refused.html", languages.chosen(request), ZONE, {"refusal": refusal})
    return HTMLResponse(html, refusal.status)
