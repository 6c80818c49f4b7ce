"""The manuals, one page for each role: ``<language>/<name>.md``, with their pictures beside them."""

import re
from collections.abc import Collection
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token
from markupsafe import Markup

from services.runtime.errors import NotFound
from services.runtime.translations import Message
from services.web import language as languages
from services.web.language import Language

FOLDER = Path(__file__).parent
PICTURES = "/help/pictures"
# In the order of the work. Which posts a manual is for; a custodian has no post.
NAMES = ("applicant", "reviewer", "storage", "custodian", "security-head", "supervisor", "administrator")
_POSTS = {
    "reviewer": {"head", "deputy", "security-reviewer", "manager", "return-inspector"},
    "storage": {"storage-operator"},
    "supervisor": {"supervisor"},
    "administrator": {"administrator"},
}
_ANCHOR = re.compile(r"\s*\{#([a-z-]+)\}$")
_MARKDOWN = MarkdownIt("commonmark", {"html": False})


@dataclass(frozen=True)
class Manual:
    """``sections`` are pairs of anchor and heading; ``body`` is HTML without the title."""

    name: str
    title: str
    sections: tuple[tuple[str, str], ...]
    body: Markup


@cache
def read(name: str, language: Language) -> Manual:
    """Return a manual in a language, or in English where the language has none; NotFound without such a manual."""
    if name not in NAMES:
        raise NotFound(Message("manual"), name)
    spoken = language if (FOLDER / language / f"{name}.md").is_file() else "en"
    tokens = _MARKDOWN.parse((FOLDER / spoken / f"{name}.md").read_text(encoding="utf-8"))
    title, rest = tokens[1].content, tokens[3:]
    sections = tuple(_anchored(one, after) for one, after in pairwise(rest) if one.type == "heading_open")
    for token in rest:
        for picture in token.children or ():
            if picture.type == "image":
                picture.attrs.update(src=f"{PICTURES}/{spoken}/{picture.attrs['src']}.webp", loading="lazy")
    html = _MARKDOWN.renderer.render(rest, _MARKDOWN.options, {})
    return Manual(name, title, sections, Markup(html))  # noqa: S704 - a text of the package, whose HTML is escaped


def _anchored(opening: Token, heading: Token) -> tuple[str, str]:
    """Give a heading its anchor, which stands behind it in the text as ``{#anchor}``."""
    found = _ANCHOR.search(heading.content)
    if found is None:
        raise ValueError(f"The heading {heading.content!r} has no anchor: write {{#anchor}} behind it.")
    text = heading.content[: found.start()]
    opening.attrs["id"] = found[1]
    for part in heading.children or ():
        part.content = _ANCHOR.sub("", part.content)
    return found[1], text


def picture(language: str, name: str) -> Path:
    """Return the file of a picture; NotFound where the package has none of this name."""
    known = {path.name: path for path in (FOLDER / language).glob("*.webp")} if language in languages.known() else {}
    if name not in known:
        raise NotFound(Message("image"), name)
    return known[name]


def first_for(posts: Collection[str], department_kind: str) -> list[str]:
    """Return the names of all manuals, those of the person's own posts first."""
    held = set(posts)
    own = {name for name, wanted in _POSTS.items() if wanted & held}
    if department_kind == "security" and held & {"head", "deputy"}:
        own.add("security-head")
    if "administrator" not in held:
        own |= {"applicant", "custodian"}
    return sorted(NAMES, key=lambda name: (name not in own, NAMES.index(name)))
