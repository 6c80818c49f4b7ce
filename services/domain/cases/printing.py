"""The documents as pages that a browser prints, made from the document's data alone; as PDF they are in ``papers``."""

from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from services.domain.cases.document_kinds import sheet_of

_environment = Environment(
    loader=PackageLoader("services.domain.cases", "templates/print"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def page(kind: str, number: str, sha256: str, content: dict[str, Any]) -> str:
    """The page of a document of ``kind``; told in the zone that was asked in."""
    return _environment.get_template("sheet.html").render(sheet=sheet_of(kind, number, sha256, content))
