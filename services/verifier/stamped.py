"""Who but the house has said when something was signed; and whether the house's own clock was a turned one."""

from services.verifier import layout
from services.verifier.envelopes import Opened
from services.verifier.invalid import Invalid
from services.verifier.package import Package
from services.verifier.report import Report

LABELS = ("master-label", "copy-label", "document-label")


def examine(package: Package, report: Report) -> None:
    """Notes alone: the stamps themselves are checked with what they stamp, and whom to trust is the reader's to say."""
    with report.check("time-stamps", layout.SIGNED) as finding:
        finding.noted = True
        finding.text = _authorities(package)
    if package.opened is not None and package.opened.predicate.get("demo") is True:
        with report.check("demo", layout.SIGNED) as finding:
            finding.noted = True
            finding.text = "DEMO: made under a clock that people turned, so its times are not true"


def _authorities(package: Package) -> str:
    found: dict[str, int] = {}
    names = [name for role in LABELS for name in package.named(role)]
    for opened in (package.opened, *(_quietly(package, name) for name in names)):
        if opened is not None and opened.time_stamp is not None:
            who = opened.time_stamp.who
            found[who] = found.get(who, 0) + 1
    if not found:
        return "none: when something was signed, the house alone says"
    return "; ".join(f"{count} of {len(names) + 1} by {who}" for who, count in found.items())


def _quietly(package: Package, name: str) -> Opened | None:
    try:
        return package.envelope(name)
    except Invalid:
        return None
