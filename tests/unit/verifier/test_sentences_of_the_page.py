"""Every sentence that ``verify.html`` can say has its form in Chinese, and is told by that form and by no other."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

from services.verifier.page import build

SOURCE = build.FOLDER / "source"
PLACE = "7"  # stands for what a sentence names
# Literals that are no text for a reader: of drawings, of what is hashed, and of the page's own lines.
NOT_SAID = re.compile(r"M\d|0 0 48|<circle|-----BEGIN|DSSEv1|(tag|verdict|card) 7$|7 sha256:7  7$")
# Raised and caught inside: what is said is that the certificate, key or moment cannot be read.
CAUGHT = {
    "certificates.js": (
        "it is of another version",
        "it names two ways of signing",
        "it has bits that are no bytes",
        "it has a time that is none",
        "it has a name that is none",
        "it has a key that is none",
        "it is no public key in PEM",
        "it has an extension twice",
    ),
    "moments.js": ("there is no such day or time",),
}
# Pieces of sentences whose whole has its form; of what happened to an account, and where passkeys signed, only values.
PIECES = {
    "accounts.js": ("7 of 7 at 7", ", and 7 more", "7 in the 7 days before a signature: 77"),
    "approvals.js": ("by 7",),
    "bindings.js": (" and 7 more",),
    "filed.js": (" and ",),
    "label_facts.js": ("not measured",),
    "package.js": ("says it was made at 7", "an authority saw it at 7"),
    "people.js": ("7 at 7", "7 (for 7)"),
    "trail.js": (
        "7 with a time stamp by 7",
        "7 with events of later than their own time, the first at 7: a clock was ahead",
    ),
}
_LITERAL = re.compile(
    r"//[^\n]*|/\*.*?\*/|(?<=[(,=:!&|?\[])\s*/(?![/*])(?:\[(?:\\.|[^\]\\])*\]|\\.|[^/\\\n])+/|(?P<quoted>\"(?:\\.|[^\"\\])*\")|`",
    re.DOTALL,
)


def literals(text: str) -> Iterator[tuple[int, int, str]]:
    """Yield each literal and template: where it begins and ends, and its text with ``PLACE`` for what is put in."""
    at = 0
    while match := _LITERAL.search(text, at):
        at = match.end()
        if match["quoted"]:
            yield match.start(), at, re.sub(r"\\(.)", r"\1", match["quoted"][1:-1])
        elif match[0] == "`":
            at, written, inner = _template(text, at)
            yield match.start(), at, written
            yield from inner


def _template(text: str, at: int) -> tuple[int, str, list[tuple[int, int, str]]]:
    written, inner = "", []
    while text[at] != "`":
        if text.startswith("${", at):
            begun, depth = at + 2, 1
            at = begun
            while depth:
                if text[at] == "`":
                    at = _template(text, at + 1)[0]
                    continue
                depth += {"{": 1, "}": -1}.get(text[at], 0)
                at += 1
            inner += [(begun + start, begun + end, one) for start, end, one in literals(text[begun : at - 1])]
            written += PLACE
        else:
            step = 2 if text[at] == "\\" else 1
            written += text[at + step - 1]
            at += step
    return at + 1, written, inner


def joined(text: str) -> Iterator[str]:
    """Yield the literals, those that are added to one another as one, with a place for what is added besides."""
    ended, whole = -1, ""
    for start, end, one in sorted(literals(text)):
        if start < ended:
            yield one  # inside of the one before
        elif whole and re.fullmatch(r"\s*\+\s*", text[ended:start]):
            whole, ended = whole + one, end
        else:
            yield whole
            whole, ended = one, end
        if re.match(r"\s*\+\s*[\w(]", text[end:]) and end == ended:
            whole += PLACE
    yield whole


def read(name: str) -> dict[str, str]:
    texts: dict[str, str] = json.loads((build.FOLDER / name).read_text(encoding="utf-8"))
    return texts


def forms(texts: dict[str, str]) -> list[tuple[re.Pattern[str], str]]:
    """The forms as the page sorts and reads them."""
    ordered = sorted(texts, key=lambda one: -len(re.sub(r"\{\d\}", "", one)))
    return [(re.compile(re.sub(r"\\\{\d\\\}", "(.+?)", re.escape(one)), re.DOTALL), one) for one in ordered]


SENTENCES, PARTS = read("sentences.json"), read("parts.json")
FORMS = forms({**SENTENCES, **PARTS})


def left_in_english(said: str) -> str | None:
    """What the Chinese of this text still has in English; None where no form fits."""
    for pattern, _ in FORMS:
        if match := pattern.fullmatch(said):
            values = (value.removeprefix("documents/") for value in match.groups())  # a member's name
            return " ".join(value for value in values if re.search(r"[A-Za-z]{2}", value))
    return None


def of(path: Path) -> Iterator[str]:
    known = (*PIECES.get(path.name, ()), *CAUGHT.get(path.name, ()))
    for said in joined(path.read_text(encoding="utf-8")):
        words = re.findall(r"[A-Za-z]{2,}", said)
        if " " in said and words and said not in known and not NOT_SAID.match(said):
            yield said


def test_every_sentence_of_the_page_has_its_chinese() -> None:
    found = {(path.name, said): left_in_english(said) for path in SOURCE.glob("*.js") for said in of(path)}
    assert len(found) > 250
    assert {one: left for one, left in found.items() if left != ""} == {}


def test_what_is_excepted_is_there() -> None:
    for path in SOURCE.glob("*.js"):
        said = set(joined(path.read_text(encoding="utf-8")))
        assert {*PIECES.get(path.name, ()), *CAUGHT.get(path.name, ())} <= said, path.name


def test_each_form_names_in_chinese_what_it_names_in_english() -> None:
    for english, chinese in {**SENTENCES, **PARTS}.items():
        places = re.findall(r"\{\d\}", english)
        assert len(set(places)) == len(places), english
        assert set(re.findall(r"\{\d\}", chinese)) <= set(places), english
        assert re.search(r"[\u4e00-\u9fff]", chinese) or chinese == "{1} / {2}", english
    assert not SENTENCES.keys() & PARTS.keys()
