"""Jinja environments, one for each language, with the filters that all templates share."""

import hashlib
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from functools import cache, partial
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from jinja2 import ChoiceLoader, Environment, FileSystemLoader, PrefixLoader, StrictUndefined, pass_context
from jinja2.runtime import Context
from markupsafe import Markup

from services.runtime import labels
from services.runtime.local_times import offset
from services.runtime.places import SERVICES
from services.runtime.spans import Span
from services.runtime.translations import Message, Text
from services.web import help, menu
from services.web import language as languages
from services.web.language import Language

STATIC = Path(__file__).with_name("static")
SHARED = Path(__file__).with_name("templates")
SOON, NEAR = timedelta(hours=24), timedelta(hours=72)


def render(template: str, language: Language, zone: str, context: Mapping[str, Any]) -> str:
    """Render ``<capability>/<name>.html`` in this language; ``zone`` is the default for moments."""
    return environment(language).get_template(template).render(default_zone=zone, **context)


def _folders() -> dict[str, FileSystemLoader]:
    """Return the template folders of the packages below services/, by package name."""
    folders = (folder for folder in SERVICES.rglob("templates") if folder != SHARED)
    return {folder.parent.name: FileSystemLoader(folder) for folder in folders}


@cache
def environment(language: Language) -> Environment:
    """Return the environment; it escapes everything and raises on an undefined name."""
    jinja = Environment(
        loader=ChoiceLoader([FileSystemLoader(SHARED), PrefixLoader(_folders())]),
        autoescape=True,
        undefined=StrictUndefined,
        extensions=["jinja2.ext.i18n"],
        trim_blocks=True,
        lstrip_blocks=True,
    )
    jinja.install_gettext_callables(  # type: ignore[attr-defined]  # comes with the extension
        partial(languages.gettext, language), partial(languages.ngettext, language), newstyle=True
    )
    jinja.globals.update(
        pairs=partial(pairs, language),
        named_pairs=partial(named_pairs, language),
        language=language,
        static=static,
        menu_for=menu.entries,
        help_about=help.about,
        localised_in=partial(_pair, language),
        language_choices=partial(language_choices, language),
        other_languages=partial(languages.others, language),
        bar_parts=bar_parts,
    )
    jinja.filters.update(
        word=partial(labels.word, language),
        language_name=languages.name,
        language_tag=languages.tag,
        named=partial(named, language),
        localised=partial(localised, language),
        duration=partial(duration, language),
        moment=moment,
        line=partial(line, language),
        stretch=stretch,
        day=day,
        clock=clock,
        urgency=urgency,
        instant=_aware,
        size=size,
    )
    return jinja


@cache
def static(name: str) -> str:
    """Return the address of a file under ``static/``; it holds the content's hash, so browsers may cache it."""
    digest = hashlib.sha256((STATIC / name).read_bytes()).hexdigest()[:12]
    return f"/static/{name}?v={digest}"


def named(language: Language, thing: Any, field: str = "name") -> str:
    """Return the name of a row or mapping in this language: ``name_zh``/``name_en``, or ``zh``/``en``."""
    if thing is None:
        return "—"
    own = getattr(thing, field, None)
    message = own if isinstance(own, Text) else getattr(thing, "message", None)
    if isinstance(message, Text):
        return message.translate(language)
    for key in (f"{field}_{language}", language, f"{field}_en", "en"):
        found = thing.get(key) if isinstance(thing, Mapping) else getattr(thing, key, None)
        if found:
            return str(found)
    plain = thing.get(field, "") if isinstance(thing, Mapping) else getattr(thing, field, "")
    return str(plain)


def pairs(language: Language, codes: Iterable[str]) -> list[tuple[str, str]]:
    """Return codes with their labels, as options of a selection."""
    return [(code, labels.word(language, code)) for code in codes]


def named_pairs(language: Language, rows: Iterable[Any]) -> list[tuple[str, str]]:
    """Return ids of rows with their names, as options of a selection."""
    return [(row.id, named(language, row)) for row in rows]


def language_choices(language: Language) -> list[tuple[str, str]]:
    """The languages of pages and notices, for a list to choose from; Chinese first."""
    codes = sorted(languages.known(), key=lambda code: (code != languages.DEFAULT, code))
    return [(code, labels.word(language, code) if labels.has_word(code) else languages.name(code)) for code in codes]


def localised(language: Language, thing: Any) -> str:
    """The sentence of a refusal or of a finding in this language; data in two languages else in English."""
    message = thing if isinstance(thing, Text) else getattr(thing, "message", None)
    if isinstance(message, Text):
        return message.translate(language)
    key = language if language in ("zh", "en") or (isinstance(thing, Mapping) and language in thing) else "en"
    return str(thing.get(key, "") if isinstance(thing, Mapping) else getattr(thing, key, ""))


def _pair(language: Language, zh: str, en: str) -> str:
    return zh if language == "zh" else en


def duration(language: Language, length: timedelta | float | None, parts: int = 2) -> str:
    """Format a duration (or seconds) in its one or two largest units."""
    if length is None:
        return "—"
    seconds = int(length.total_seconds() if isinstance(length, timedelta) else length)
    units = (
        (86400, Message("{count} d")),
        (3600, Message("{count} h")),
        (60, Message("{count} min")),
        (1, Message("{count} s")),
    )
    rest = abs(seconds)
    units_shown: list[tuple[int, Message]] = []
    for size_of, unit in units:
        count, rest = divmod(rest, size_of)
        if count or (units_shown and len(units_shown) < parts):
            units_shown.append((count, unit))
    units_shown = [entry for entry in units_shown[:parts] if entry[0]] or [(0, units[-1][1])]
    return " ".join(unit.with_values(count=count).translate(language) for count, unit in units_shown)


@pass_context
def clock(context: Context, when: datetime | str) -> str:
    """Format the time of day of a moment in the default zone."""
    return _aware(when).astimezone(ZoneInfo(context["default_zone"])).strftime("%H:%M")


@pass_context
def moment(context: Context, when: datetime | str | None, zone: str | None = None, *, exact: bool = False) -> str:
    """Format a moment in ``zone`` (an IANA name) with its offset; with seconds if ``exact``."""
    if not when:
        return "—"
    local = _aware(when).astimezone(ZoneInfo(zone or context["default_zone"]))
    text = local.strftime("%Y-%m-%d %H:%M:%S" if exact else "%Y-%m-%d %H:%M")
    return Markup('<time datetime="{}">{} <small>{}</small></time>').format(local.isoformat(), text, offset(local))


def line(language: Language, text: str, zone: str) -> str:
    """Translate a line of a record, its moments to the second in ``zone`` (an IANA name), with the offset."""

    def printed(timestamp: str) -> str:
        local = _aware(timestamp).astimezone(ZoneInfo(zone))
        return f"{local:%Y-%m-%d %H:%M:%S} {offset(local)}"

    return labels.word(language, text, printed)


@pass_context
def stretch(context: Context, span: Any, zone: str | None = None) -> str:
    """Format a span to the second; day and offset of the end only if they differ from the start's."""
    start, end = (_aware(when).astimezone(ZoneInfo(zone or context["default_zone"])) for when in (span.start, span.end))
    first = "" if offset(start) == offset(end) else f" {offset(start)}"
    last = end.strftime("%H:%M:%S" if start.date() == end.date() else "%Y-%m-%d %H:%M:%S")
    return Markup(
        '<time datetime="{}">{}<small>{}</small></time> – <time datetime="{}">{} <small>{}</small></time>'
    ).format(start.isoformat(), start.strftime("%Y-%m-%d %H:%M:%S"), first, end.isoformat(), last, offset(end))


@pass_context
def day(context: Context, when: datetime | str | None, zone: str | None = None) -> str:
    """Format the day of a moment in ``zone``."""
    if not when:
        return "—"
    local = _aware(when).astimezone(ZoneInfo(zone or context["default_zone"]))
    return Markup('<time class="day" datetime="{}">{}</time>').format(local.isoformat(), local.strftime("%Y-%m-%d"))


def urgency(when: datetime | str | None, now: datetime) -> str:
    """Classify a deadline for its colour: ``past``, ``soon`` (a day), ``near`` (three days) or ``far``."""
    if not when:
        return "far"
    left = _aware(when) - now
    return "past" if left <= timedelta() else "soon" if left <= SOON else "near" if left <= NEAR else "far"


def size(count: int | None) -> str:
    """Format a number of bytes, in powers of 1,024; to a tenth, which a whole number does without."""
    if count is None:
        return "—"
    value, unit = float(count), "B"
    for unit in ("B", "KiB", "MiB", "GiB", "TiB"):
        if value < 1024 or unit == "TiB":
            break
        value /= 1024
    return f"{f'{value:.1f}'.removesuffix('.0')} {unit}"


def bar_parts(start: Any, end: Any, spans: Iterable[Any]) -> list[tuple[float, float]]:
    """Return offset and width of each span in a bar from ``start`` to ``end`` that is 1,000 wide."""
    whole = Span(_aware(start), _aware(end))
    length = (whole.end - whole.start).total_seconds() or 1
    parts = []
    for span in spans:
        begin, stop = (span["start"], span["end"]) if isinstance(span, Mapping) else (span.start, span.end)
        begin, stop = max(_aware(begin), whole.start), min(_aware(stop), whole.end)
        if stop > begin:
            at, wide = (begin - whole.start).total_seconds(), (stop - begin).total_seconds()
            parts.append((round(1000 * at / length, 2), max(round(1000 * wide / length, 2), 1)))
    return parts


def _aware(when: datetime | str) -> datetime:
    """Return an aware moment; tables have datetimes, forms and documents have ISO 8601 texts."""
    if isinstance(when, str):
        when = datetime.fromisoformat(when)
    return when if when.tzinfo else when.replace(tzinfo=UTC)
