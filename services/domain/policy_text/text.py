"""Read the policy's text, Markdown, and set it as HTML."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from markdown_it import MarkdownIt
from markupsafe import Markup

from services.runtime.errors import Refused
from services.runtime.settings import Settings

SHIPPED = Path(__file__).with_name("policy.zh.md")
# no HTML of its own, and no images: neither may bring scripts or other hosts' content onto the page
_MARKDOWN = MarkdownIt("commonmark", {"html": False}).enable("table").disable("image")


@dataclass(frozen=True)
class PolicyText:
    """The policy in force: its version, its text in Markdown, and the text's hash in hexadecimal."""

    version: str
    text: str
    sha256: str


def read(settings: Settings) -> PolicyText:
    """Read the organisation's text, or the shipped one; Refused while its file cannot be read."""
    file = settings.rules.policy_file or SHIPPED
    try:
        content = file.read_bytes()
        return PolicyText(settings.rules.policy_version, content.decode(), hashlib.sha256(content).hexdigest())
    except (OSError, UnicodeDecodeError) as error:
        raise Refused(
            "policy-unreadable",
            "The policy's text cannot be read now: ask an administrator to check its file.",
            status=503,
        ) from error


def to_html(text: str) -> Markup:
    """Set Markdown as HTML, its headings one level below that of the page."""
    tokens = _MARKDOWN.parse(text)
    for token in tokens:
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{min(int(token.tag[1:]) + 1, 6)}"
    return Markup(_MARKDOWN.renderer.render(tokens, _MARKDOWN.options, {}))  # noqa: S704 - HTML in the text is escaped
