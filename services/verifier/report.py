"""The report: a line for each check (passed, failed or noted), and the exit code."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

from services.verifier.invalid import Invalid
from services.verifier.titles import ENCLOSED, TITLES

Status = Literal["pass", "fail", "note"]
SOUND, BROKEN, UNKNOWN = 0, 1, 2
MOST_FAULTS = 20  # of one check over many things; the rest is counted
# What untrusted values of another shape than expected raise where they are used.
UNSHAPED = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError, RecursionError)


@dataclass(frozen=True)
class Line:
    """One check: ``check`` is its code, ``of`` its object, ``found`` a sentence or a figure."""

    status: Status
    check: str
    of: str
    found: str = ""


@dataclass
class Finding:
    """The text of a passed check; ``noted`` if it is only information."""

    text: str = ""
    noted: bool = False


@dataclass
class Report:
    """``fingerprints`` by name: root, seal, log. ``trusted``: root or seal is one that was given.

    ``enclosed``: the program that wrote it came in the package, so it proves nothing by itself.
    """

    lines: list[Line] = field(default_factory=list)
    fingerprints: dict[str, str] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)
    trusted: bool = False
    enclosed: bool = False

    @contextmanager
    def check(self, code: str, of: str = "") -> Iterator[Finding]:
        """Run one check; it fails with the sentence of an Invalid, else it passes."""
        finding = Finding()
        try:
            yield finding
        except Invalid as error:
            self.fail(code, of, str(error))
        except UNSHAPED as error:
            self.fail(code, of, f"it has an unexpected structure ({type(error).__name__})")
        else:
            self.lines.append(Line("note" if finding.noted else "pass", code, of, finding.text))

    def each(self, code: str, things: Iterable[tuple[str, Callable[[], None]]], what: str = "") -> None:
        """Run one check over many objects: one line for all that pass, and one for each that fails."""
        count = faults = 0
        rest = iter(things)
        while True:
            of = what
            try:
                of, check_one = next(rest)
                count += 1
                check_one()
                continue
            except StopIteration:
                break
            except Invalid as error:
                fault = str(error)
            except UNSHAPED as error:
                fault = f"it has an unexpected structure ({type(error).__name__})"
            faults += 1
            if faults <= MOST_FAULTS:
                self.fail(code, of, fault)
        if faults > MOST_FAULTS:
            self.fail(code, what, f"{faults} of {count} are not valid")
        if not faults:
            self.lines.append(Line("pass", code, what, f"{count} of {count}"))

    def fail(self, code: str, of: str, found: str) -> None:
        self.lines.append(Line("fail", code, of, found))

    @property
    def failed(self) -> list[Line]:
        return [line for line in self.lines if line.status == "fail"]

    @property
    def exit_code(self) -> int:
        """Return 0 if all passed under a trusted key, 1 if something failed, else 2.

        2: all passed under an unknown key, or by the program that came in the package.
        """
        if self.failed or not self.lines:
            return BROKEN
        return SOUND if self.trusted and not self.enclosed else UNKNOWN

    def as_json(self) -> dict[str, Any]:
        return {
            "exitCode": self.exit_code,
            "trusted": self.trusted,
            **({"enclosed": {"zh": ENCLOSED[0], "en": ENCLOSED[1]}} if self.enclosed else {}),
            "fingerprints": {name: f"sha256:{value}" for name, value in self.fingerprints.items()},
            **self.facts,
            "checks": [
                {
                    "status": line.status,
                    "check": line.check,
                    "of": line.of,
                    "zh": TITLES[line.check][0],
                    "en": TITLES[line.check][1],
                    "found": line.found,
                }
                for line in self.lines
            ],
        }
