"""The documents as pages to print: what an office would sign, made from the document's data alone."""

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from jinja2 import Environment, PackageLoader, StrictUndefined

from services.portal.words import word, words
from services.register import local_times


def moment(told: str, zone: str, *, exact: bool = False) -> str:
    """An ISO 8601 moment as people read it in ``zone`` (an IANA name), to the second, or to the millisecond.

    In an hour that the zone shows twice the offset says which of the two it is (F4).
    """
    local = datetime.fromisoformat(told).astimezone(ZoneInfo(zone))
    text = local.replace(tzinfo=None).isoformat(sep=" ", timespec="milliseconds" if exact else "seconds")
    twice = len(local_times.candidates(local.replace(tzinfo=None, fold=0), zone)) > 1
    return f"{text} ({local.isoformat()[-6:]})" if twice else text


def line(text: str, zone: str) -> str:
    """A line of a record, its moments as people read them in ``zone``."""
    return word("zh", text, lambda told: moment(told, zone, exact=True))


_environment = Environment(
    loader=PackageLoader("services.portal", "templates/print"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_environment.filters["word"] = words
_environment.filters["moment"] = moment
_environment.filters["line"] = line


def page(kind: str, number: str, sha256: str, content: dict[str, Any]) -> str:
    """The page of a document of ``kind`` (application-form, retrieval-record); told in the zone that was asked in."""
    template = _environment.get_template(f"{kind}.html")
    zone = content["asked"]["zone"] if "asked" in content else content["items"][0]["zone"]
    return template.render(number=number, sha256=sha256, document=content, zone=zone)
