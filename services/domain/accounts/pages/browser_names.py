"""A browser's name as people know it, from what it tells of itself; only shown, nothing rests on it."""

from services.web.language import Language

# The order matters: Edge and Chrome name Safari too, and every one names Mozilla.
BROWSERS = (
    ("MicroMessenger", "微信", "WeChat"),
    ("Edg", "Edge", "Edge"),
    ("Firefox", "Firefox", "Firefox"),
    ("Chrome", "Chrome", "Chrome"),
    ("Chromium", "Chromium", "Chromium"),
    ("Safari", "Safari", "Safari"),
    ("httpx", "程序（API）", "a program (API)"),
)
SYSTEMS = (
    ("Android", "Android", "Android"),
    ("iPhone", "iPhone", "iPhone"),
    ("iPad", "iPad", "iPad"),
    ("HarmonyOS", "HarmonyOS", "HarmonyOS"),
    ("Windows", "Windows", "Windows"),
    ("Mac OS", "macOS", "macOS"),
    ("Linux", "Linux", "Linux"),
)


def browser_name(told: str | None, language: Language) -> str:
    """Such as “Firefox · Windows”."""
    place = 1 if language == "zh" else 2
    names = [next((entry[place] for entry in table if entry[0] in (told or "")), "") for table in (BROWSERS, SYSTEMS)]
    unknown = "未知浏览器" if language == "zh" else "an unknown browser"
    return " · ".join(filter(None, names)) or unknown
