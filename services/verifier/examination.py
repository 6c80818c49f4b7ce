"""All checks of one package, in the order in which they rest on one another; ``--trust`` among them."""

import re
from collections.abc import Sequence
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from services.verifier import approvals, custody_log, filed, footage, layout, stamped, trail
from services.verifier.invalid import Invalid
from services.verifier.members import Archive
from services.verifier.package import Package, open_package
from services.verifier.report import Report

_FINGERPRINT = re.compile(r"[0-9a-f]{64}")


def examine(path: Path, trust: Sequence[str] = ()) -> Report:
    """The report on the package at ``path``. ``trust``: fingerprints of its root, seal or log key, as people have them.

    Whatever is wrong with it is a line of the report; nothing is raised but for a machine that fails.
    """
    report = Report()
    archive: Archive | None = None
    with report.check("structure", path.name) as finding:
        archive = _open(path)
        finding.text = f"{len(archive.members)} members, {archive.size} bytes"
    if archive is None:
        return report
    with archive:
        package = open_package(archive, report)
        if package is None:
            return report
        _examine(package, report)
    _compare(report, trust)
    return report


def fingerprint(text: str) -> str:
    """64 digits of what people write: with or without ``sha256:``, colons, blanks, in any case; raises Invalid."""
    found = re.sub(r"[\s:]", "", text.lower().removeprefix("sha256:"))
    if not _FINGERPRINT.fullmatch(found):
        raise Invalid(f"{text!r:.100} is no fingerprint: it has 64 hexadecimal digits, with or without sha256: before")
    return found


def _open(path: Path) -> Archive:
    try:
        if not path.is_file():
            raise Invalid(f"{path} is no file: name the package that you were given")
        return Archive(path)
    except OSError as error:
        raise Invalid(f"{path} cannot be read ({error.strerror})") from error


def _examine(package: Package, report: Report) -> None:
    if package.opened is not None:
        chain, told = package.opened.chain, package.opened.predicate
        report.fingerprints.update(root=chain.root_fingerprint, seal=chain.seal_fingerprint)
        report.facts.update(
            application=told.get("application"),
            madeAt=told.get("madeAt"),
            footage=package.manifest["footage"],
            organisation=chain.organisation,
            demo=told.get("demo"),
        )
    with report.check("chain", layout.CHAIN):
        _check_chain(package)
    events = trail.examine(package, report)
    filed.examine(package, events, report)
    footage.examine(package, events, report)
    approvals.examine(package, events, report)
    custody_log.examine(package, events, report)
    stamped.examine(package, report)


def _check_chain(package: Package) -> None:
    found = x509.load_pem_x509_certificates(package.content(layout.CHAIN))
    pem = b"".join(one.public_bytes(serialization.Encoding.PEM) for one in package.seal.chain.certificates)
    if tuple(found) != package.seal.chain.certificates or pem != package.content(layout.CHAIN):
        raise Invalid("its certificates are not those that the manifest was signed with")


def _compare(report: Report, trust: Sequence[str]) -> None:
    for text in trust:
        with report.check("trust", text) as finding:
            wanted = fingerprint(text)
            names = [name for name, value in report.fingerprints.items() if value == wanted]
            if not names:
                raise Invalid("it is neither the root's nor the seal key's nor the log key's of this package")
            finding.text = names[0]
            report.trusted = report.trusted or names[0] in ("root", "seal")
