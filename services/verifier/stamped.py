"""Note which time stamp authorities confirm signing times, and whether a demo's clock was turned."""

from contextlib import suppress

from services.verifier import layout
from services.verifier.envelopes import Opened
from services.verifier.invalid import Invalid
from services.verifier.package import Package
from services.verifier.report import UNSHAPED, Report

LABELS = ("master-label", "copy-label", "document-label")


def examine(package: Package, report: Report) -> None:
    """Add notes only: stamps are checked with what they stamp, and the reader decides whom to trust."""
    with report.check("time-stamps", layout.SIGNED) as finding:
        finding.noted = True
        finding.text = _authorities(package)
    if _is_demo(package):
        with report.check("demo", layout.SIGNED) as finding:
            finding.noted = True
            finding.text = "DEMO: made under a clock that people turned, so its times are not true"


def _is_demo(package: Package) -> bool:
    """Whether the manifest says so, or a document, whose hash is in the log."""
    with suppress(*UNSHAPED):  # documents of other shapes are reported by their own checks
        if any(data["demo"] is True for data in package.documents.values()):
            return True
    return package.opened is not None and package.opened.predicate.get("demo") is True


def _authorities(package: Package) -> str:
    counts: dict[str, int] = {}
    names = [name for role in LABELS for name in package.named(role)]
    for opened in (package.opened, *(_quietly(package, name) for name in names)):
        if opened is not None and opened.time_stamp is not None:
            authority = opened.time_stamp.who
            counts[authority] = counts.get(authority, 0) + 1
    if not counts:
        return "none: signing times are by the organisation's own clock only"
    return "; ".join(f"{count} of {len(names) + 1} by {authority}" for authority, count in counts.items())


def _quietly(package: Package, name: str) -> Opened | None:
    try:
        return package.envelope(name)
    except Invalid:
        return None
