"""The documents as pages to print: what an office would sign, made from the document's data alone."""

from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from services.portal.words import words

_environment = Environment(
    loader=PackageLoader("services.portal", "templates/print"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_environment.filters["word"] = words


def page(kind: str, number: str, sha256: str, content: dict[str, Any]) -> str:
    """The page of a document of ``kind`` (application-form, retrieval-record)."""
    template = _environment.get_template(f"{kind}.html")
    return template.render(number=number, sha256=sha256, document=content)
