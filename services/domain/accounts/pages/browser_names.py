"""Show a user agent as a browser name that people know.

Nothing depends on it.
"""

from collections.abc import Iterable

from services.runtime.translations import Message, Text
from services.web.language import Language

# The order matters: Edge and Chrome contain "Safari" too.
BROWSERS = (
    ("MicroMessenger", Message("WeChat")),
    ("Edg", "Edge"),
    ("Firefox", "Firefox"),
    ("Chrome", "Chrome"),
    ("Chromium", "Chromium"),
    ("Safari", "Safari"),
    ("httpx", Message("a program (API)")),
)
SYSTEMS = (
    ("Android", "Android"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("HarmonyOS", "HarmonyOS"),
    ("Windows", "Windows"),
    ("Mac OS", "macOS"),
    ("Linux", "Linux"),
)


def browser_name(user_agent: str | None, language: Language) -> str:
    """Return a name such as “Firefox · Windows”."""
    tables: tuple[Iterable[tuple[str, str | Text]], ...] = (BROWSERS, SYSTEMS)
    names = [next((name for mark, name in table if mark in (user_agent or "")), "") for table in tables]
    translated = [name.translate(language) if isinstance(name, Text) else name for name in names if name]
    return " · ".join(translated) or Message("an unknown browser").translate(language)
