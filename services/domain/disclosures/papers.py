"""The small files beside footage that is handed out: the list, labels, hashes, the verifier, and how it opens."""

import hashlib
from collections.abc import Mapping

from services.domain.custody import download_folder
from services.domain.custody.download_contents import Contents
from services.domain.custody.download_folder import LINE, OPENER, PLAYER, README, SUMS, UTF8_MARK
from services.runtime.translations import Message, Text
from services.verifier import pyz

VERIFIER = "verify.pyz"
PURPOSE = Message(
    "Provided with the list {number}, for the purpose stated in the letter or request alone. Do not edit or publish it."
)
CLEAR = (
    Message("Extract this ZIP onto the numbered medium, and seal the medium: the files in it are not encrypted."),
    Message("The footage opens with player.html in a browser, or with a player such as VLC."),
)
DERIVED = Message(
    "This is a redacted copy: derived, not the original. The list says by which recipe, and where the original is kept."
)
TYPE = Message("Enter the password that you were given. Lowercase letters, spaces and missing hyphens are accepted.")
ABSENT = Message(
    "The footage cannot be played from here: extract the whole ZIP first. If it is in another folder, choose it below."
)


def papers(contents: Contents, *, number: str, label: bytes, sheet: bytes, list_pdf: bytes) -> dict[str, bytes]:
    """Return the files by their names; ``list_pdf`` is the list that is signed, ``number`` its number."""
    said = _said(contents, number)
    files = {
        README: _readme(contents, number),
        f"{number}.pdf": list_pdf,
        f"{contents.name}.label.json": label,
        f"{contents.name}.label.pdf": sheet,
        VERIFIER: pyz.build(enclosed=True),
        PLAYER: download_folder.player(contents, said),
    }
    if contents.opens_with == "browser":
        files[OPENER] = download_folder.opener(contents, said)
    sums = {contents.footage: contents.sha256}
    sums.update((name, hashlib.sha256(content).hexdigest()) for name, content in files.items())
    return {**files, SUMS: "".join(f"{sha256}  {name}\n" for name, sha256 in sorted(sums.items())).encode()}


def opening_of(contents: Contents) -> tuple[Message, ...]:
    """Return how the files open, in sentences."""
    if contents.opens_with == "medium":
        return CLEAR
    return tuple(download_folder.opening_of(contents))


def _said(contents: Contents, number: str) -> Mapping[str, list[tuple[str, str]]]:
    """Return the sentences of the pages; nobody outside returns the footage by a date."""
    shared = {name: text for name, text in download_folder.SENTENCES.items() if name not in ("until", "duty")}
    texts: dict[str, Text] = {
        **shared,
        "type": TYPE,
        "purpose": PURPOSE.with_values(number=number),
        "parts": download_folder.parts_of(contents),
        "absent": download_folder.ABSENT.get(contents.opens_with, ABSENT),
        "camera-name": contents.camera,
    }
    return download_folder.in_all_languages(texts)


def _readme(contents: Contents, number: str) -> bytes:
    lines: list[str] = []
    for language in download_folder.languages_of_files():
        lines += [text if isinstance(text, str) else text.translate(language) for text in _lines(contents, number)]
        lines += ["", "-" * 72, ""]
    return (UTF8_MARK + LINE.join(lines[:-3]) + LINE).encode()


def _lines(contents: Contents, number: str) -> list[Text | str]:
    return [
        Message(
            "{organisation}: footage provided with the list {number}", organisation=contents.organisation, number=number
        ),
        "",
        Message("Camera: {camera}", camera=contents.camera),
        *([DERIVED] if contents.derived else []),
        PURPOSE.with_values(number=number),
        *([download_folder.parts_of(contents)] if contents.parts > 1 else []),
        "",
        *opening_of(contents),
        "",
        *(
            [
                Message("{name}: the footage, encrypted", name=f"{contents.footage}.age"),
                Message("{name}: opens it in a browser", name=OPENER),
            ]
            if contents.opens_with == "browser"
            else []
        ),
        _footage(contents),
        Message("{name}: the list of what is provided, to read and sign", name=f"{number}.pdf"),
        Message("{name}: plays it in a browser", name=PLAYER),
        Message("{name}: the signed label, for a program to verify", name=f"{contents.name}.label.json"),
        _sheet(contents),
        Message("{name}: the SHA-256 of each file", name=SUMS),
        Message(
            "{name}: the verifier of evidence packages, for Python 3.11 or newer; take its hash from the portal",
            name=VERIFIER,
        ),
        "",
        Message(
            "To check that nothing has changed: sha256sum -c {sums} on Linux, shasum -a 256 -c {sums} on macOS, "
            "certutil -hashfile {name} SHA256 on Windows.",
            sums=SUMS,
            name=contents.footage,
        ),
    ]


def _footage(contents: Contents) -> Message:
    if contents.derived:
        return Message("{name}: the redacted footage, unchanged since sealed", name=contents.footage)
    return Message("{name}: the footage, unchanged since sealed", name=contents.footage)


def _sheet(contents: Contents) -> Message:
    name = f"{contents.name}.label.pdf"
    if contents.derived:
        return Message("{name}: the record of how the redacted copy was made and checked", name=name)
    return Message("{name}: the label, to read and print", name=name)
