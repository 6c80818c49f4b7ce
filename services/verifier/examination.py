"""Run all checks of one package, in the order of their dependencies."""

import io
import re
from collections.abc import Callable, Sequence
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from services.verifier import (
    accounts,
    approvals,
    attached,
    bindings,
    custody_log,
    filed,
    footage,
    layout,
    stamped,
    trail,
)
from services.verifier.invalid import Invalid
from services.verifier.members import Archive
from services.verifier.package import Package, open_package
from services.verifier.report import Report

_FINGERPRINT = re.compile(r"[0-9a-f]{64}")


def examine(path: Path, trust: Sequence[str] = ()) -> Report:
    """Report on the package at ``path``. ``trust``: fingerprints of its root, seal or log key, as people write them.

    Every fault is a line of the report; only errors of the machine are raised.
    """
    return _report(path.name, lambda: _open(path), trust)


def examine_opened(name: str, opening: Callable[[], io.RawIOBase]) -> Report:
    """Report on a package that is no file of this machine; ``opening`` as ``Archive`` has it."""
    return _report(name, lambda: Archive(None, opening), ())


def _report(name: str, opened: Callable[[], Archive], trust: Sequence[str]) -> Report:
    report = Report()
    archive: Archive | None = None
    with report.check("structure", name) as finding:
        archive = opened()
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
    """Normalise a fingerprint to 64 digits; ``sha256:``, colons, blanks and case are ignored; raises Invalid."""
    digits = re.sub(r"[\s:]", "", text.lower().removeprefix("sha256:"))
    if not _FINGERPRINT.fullmatch(digits):
        raise Invalid(f"{text!r:.100} is no fingerprint: it has 64 hexadecimal digits, with or without sha256: before")
    return digits


def _open(path: Path) -> Archive:
    try:
        if not path.is_file():
            raise Invalid(f"{path} is no file: name the package that you were given")
        return Archive(path)
    except OSError as error:
        raise Invalid(f"{path} cannot be read ({error.strerror})") from error


def _examine(package: Package, report: Report) -> None:
    if package.opened is not None:
        chain, predicate = package.opened.chain, package.opened.predicate
        report.fingerprints.update(root=chain.root_fingerprint, seal=chain.seal_fingerprint)
        report.facts.update(
            application=predicate.get("application"),
            madeAt=predicate.get("madeAt"),
            footage=package.manifest["footage"],
            organisation=chain.organisation,
            demo=predicate.get("demo"),
        )
    with report.check("chain", layout.CHAIN):
        _check_chain(package)
    events = trail.examine(package, report)
    filed.examine(package, events, report)
    attached.examine(package, events, report)
    footage.examine(package, events, report)
    approvals.examine(package, events, report)
    accounts.examine(package, events, report)
    custody_log.examine(package, events, report)
    bindings.examine(package, events, report)
    stamped.examine(package, report)


def _check_chain(package: Package) -> None:
    certificates = x509.load_pem_x509_certificates(package.content(layout.CHAIN))
    signers = package.seal.chain.certificates
    pem = b"".join(certificate.public_bytes(serialization.Encoding.PEM) for certificate in signers)
    if tuple(certificates) != signers or pem != package.content(layout.CHAIN):
        raise Invalid("its certificates are not those that the manifest was signed with")


def _compare(report: Report, trust: Sequence[str]) -> None:
    for text in trust:
        with report.check("trust", text) as finding:
            expected = fingerprint(text)
            names = [name for name, value in report.fingerprints.items() if value == expected]
            if not names:
                raise Invalid("it is neither the root's nor the seal key's nor the log key's of this package")
            finding.text = names[0]
            report.trusted = report.trusted or names[0] in ("root", "seal")
