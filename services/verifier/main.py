"""``verify PACKAGE [--trust FINGERPRINT]…``: arguments, output and exit code."""

import argparse
import io
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn

from services.verifier.examination import examine
from services.verifier.report import BROKEN, UNKNOWN, Line, Report
from services.verifier.titles import CONSISTENT, ENCLOSED, ENDS, FINGERPRINTS, TITLES

MARKS = {"pass": ("PASS", "成立"), "fail": ("FAIL", "不成立"), "note": ("NOTE", "说明")}


class _Arguments(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        # 2 means that the package is sound, so a wrong call must not end with it
        self.print_usage(sys.stderr)
        self.exit(BROKEN, f"{message}\n")


def main(arguments: Sequence[str] | None = None, name: str = "verify", *, enclosed: bool = False) -> int:
    """Return 0 if all checks pass under a trusted key, 2 if they pass under an unknown key, else 1.

    ``enclosed``: this is the copy in a package, which says so of itself and never returns 0.
    """
    parser = _Arguments(
        prog=name,
        description="Check an evidence package. Needs no network and no database. 核验证据包，无需网络与数据库。",
        epilog="Ends with 0: all holds, by a key given with --trust; 2: all holds, by an unknown key "
        "or by the program in the package; 1: all else.",
    )
    parser.add_argument("package", type=Path, help="the ZIP that you were given")
    parser.add_argument(
        "--trust",
        action="append",
        default=[],
        metavar="FINGERPRINT",
        help="a fingerprint of root, seal or log key that came to you another way; may be repeated",
    )
    parser.add_argument("--json", action="store_true", help="print the report as JSON")
    parser.add_argument("--lang", choices=("both", "zh", "en"), default="both", help="the language of the lines")
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal without Chinese still shows the rest
    options = parser.parse_args(arguments)
    report = examine(options.package, options.trust)
    report.enclosed = enclosed
    write = sys.stdout.write
    if options.json:
        write(json.dumps(report.as_json(), ensure_ascii=False, indent=1) + "\n")
    else:
        print_report(report, lambda line: write(line + "\n"), options.lang)
    return report.exit_code


def print_report(report: Report, say: Callable[[str], object], lang: str = "both") -> None:
    """Print the report: one line for each check, the fingerprints, and the conclusion."""
    if report.enclosed:
        say(_chosen(ENCLOSED, lang))
        say("")
    for line in report.lines:
        say(_line(line, lang))
    say("")
    for name, value in report.fingerprints.items():
        say(f"{name:<5} sha256:{value}  {_chosen(FINGERPRINTS[name], lang)}")
    consistent = report.enclosed and report.exit_code == UNKNOWN
    say(_chosen(CONSISTENT if consistent else ENDS[report.exit_code], lang))


def _line(line: Line, lang: str) -> str:
    english, chinese = MARKS[line.status]
    mark = {"both": f"{english} {chinese}", "zh": chinese, "en": english}[lang]
    text = f"{mark}  {_chosen(TITLES[line.check], lang)}  [{_plain(line.of)}]"
    return f"{text}  {_plain(line.found)}" if line.found else text


def _chosen(words: Sequence[str], lang: str) -> str:
    return {"zh": words[0], "en": words[1], "both": f"{words[0]} · {words[1]}"}[lang]


def _plain(text: str) -> str:
    """Replace unprintable characters, because names and texts come from the package."""
    return "".join(sign if sign.isprintable() else "�" for sign in text)
