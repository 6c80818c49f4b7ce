"""The small files beside the footage of a download: label, sheets, pages, what to know of it, and all the hashes."""

import base64
import hashlib
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from markupsafe import Markup

from services.domain.custody.download_contents import Contents
from services.runtime.local_times import offset
from services.runtime.places import SERVICES
from services.runtime.translations import Message, Text
from services.web import language as languages
from services.web import templates

PAGES = SERVICES / "domain" / "custody" / "templates" / "folder"
VENDOR = templates.STATIC / "vendor"
README, SUMS, PLAYER, OPENER = "README.txt", "SHA256SUMS", "player.html", "open.html"
# An old editor of Windows knows UTF-8 by its mark, and lines by both characters.
UTF8_MARK, LINE = "\ufeff", "\r\n"

SENTENCES: Mapping[str, Message] = {
    "title": Message("Open the footage"),
    "choose": Message("Choose the file in the same folder as this page:"),
    "type": Message(
        "Enter the password that the portal showed. Lowercase letters, spaces and missing hyphens are accepted."
    ),
    "save": Message("Save the footage in this folder, then use player.html to play it."),
    "file": Message("Encrypted file"),
    "password": Message("Password"),
    "act": Message("Open and save"),
    "opening": Message("Opening: keep this page open until “Saved” is shown."),
    "saved": Message("Saved: the footage is complete and unchanged."),
    "wrong-password": Message("The password is wrong, and nothing was opened. Enter it again, group by group."),
    "wrong-file": Message("This is not the encrypted file of this folder: choose the one that ends with .age."),
    "damaged": Message("The file is damaged or incomplete, and nothing was saved: download it again."),
    "not-saved": Message("Nothing was saved: no location was chosen, or the disk is full. Try again."),
    "script": Message("This page needs JavaScript: open it in a current Edge, Chrome or Firefox."),
    "player": Message("Play the footage"),
    "hevc": Message(
        "This footage is H.265, which this browser cannot play. Use Edge or Chrome on a computer with hardware "
        "decoding, or open the file with a player such as VLC."
    ),
    "unplayable": Message("This footage is Motion JPEG, which browsers cannot play: open the file with VLC."),
    "telephone": Message("Its sound is G.711: where this browser does not play it, open the file with VLC."),
    "elsewhere": Message("Footage in another folder"),
    "camera": Message("Camera"),
    "pictures": Message("First and last frame, in recorder time"),
    "until": Message("Use until"),
    "duty": Message(
        "Do not edit, copy or forward it. Return it after use, by the due date at the latest, and account for "
        "this download."
    ),
}

# Where the player finds nothing that it can play.
ABSENT: Mapping[str, Message] = {
    "browser": Message(
        "The footage cannot be played from here: open it with open.html first, and save it in this folder. If it "
        "is in another folder, choose it below."
    ),
    "archiver": Message(
        "The footage cannot be played from here: extract the whole ZIP first. If it is in another folder, choose "
        "it below."
    ),
}

OPENING: Mapping[str, tuple[Message, ...]] = {
    "browser": (
        Message("Extract this folder first, then open open.html in Edge, Chrome, Firefox or a browser based on them."),
        Message("Choose the file that ends with .age, enter the password, and save the footage in this folder."),
        Message("No installation or network is required, and no data leaves this computer."),
    ),
    "archiver": (
        Message("Extract this ZIP with 7-Zip, WinRAR, Bandizip or a similar program, and enter the password there."),
        Message("The file managers of Windows and macOS cannot open it: they do not support AES encryption."),
    ),
}


def player(contents: Contents, said: Mapping[str, list[tuple[str, str]]]) -> bytes:
    """Return the page that plays the footage beside it."""
    return page("custody/folder/player.html", contents, said, ("player.js",), "media-src file: blob:")


def opener(contents: Contents, said: Mapping[str, list[tuple[str, str]]]) -> bytes:
    """Return the page that decrypts the footage beside it."""
    return page("custody/folder/open.html", contents, said, (VENDOR / "age-decrypter.min.js", "open.js"))


def papers(contents: Contents, *, label: bytes, sheet: bytes, cover: bytes) -> dict[str, bytes]:
    """Return the files beside the footage by their names; ``label`` is the signed statement, ``sheet`` its PDF.

    ``cover`` is the cover sheet as PDF.
    Where the footage alone is encrypted, none of them says what it is used for.
    """
    said = _said(contents)
    files = {
        README: _readme(contents),
        f"{contents.name}.cover.pdf": cover,
        f"{contents.name}.label.json": label,
        f"{contents.name}.label.pdf": sheet,
        PLAYER: player(contents, said),
    }
    if contents.opens_with == "browser":
        files[OPENER] = opener(contents, said)
    sums = {contents.footage: contents.sha256}
    sums.update((name, hashlib.sha256(content).hexdigest()) for name, content in files.items())
    return {**files, SUMS: "".join(f"{sha256}  {name}\n" for name, sha256 in sorted(sums.items())).encode()}


def _said(contents: Contents) -> dict[str, list[tuple[str, str]]]:
    """Return each sentence in every language, under the language's tag; Chinese first."""
    texts: dict[str, Text] = {
        **SENTENCES,
        "purpose": purpose_of(contents),
        "parts": parts_of(contents),
        "absent": ABSENT[contents.opens_with],
        "camera-name": contents.camera,
    }
    return in_all_languages(texts)


def in_all_languages(texts: Mapping[str, Text]) -> dict[str, list[tuple[str, str]]]:
    """Return each text in every language, under the language's tag."""
    return {
        name: [(languages.tag(language), text.translate(language)) for language in languages_of_files()]
        for name, text in texts.items()
    }


def languages_of_files() -> list[str]:
    """List the languages of files that leave the portal, Chinese first."""
    return sorted(languages.known(), key=lambda language: (language != languages.DEFAULT, language))


def opening_of(contents: Contents) -> list[Message]:
    """Return how the download opens, in sentences."""
    apart = Message("The password is sent separately from this file: never keep or send both together.")
    return [*OPENING[contents.opens_with], apart]


def purpose_of(contents: Contents) -> Message:
    """Return for what the footage may be used; where the footage alone is encrypted, that it is not said here."""
    if contents.opens_with == "browser":
        return Message(
            "Only for the purpose stated in application {number}. The purpose is not shown here, because only "
            "the footage is encrypted.",
            number=contents.number,
        )
    return Message("For this purpose only: {purpose}", purpose=contents.purpose)


def parts_of(contents: Contents) -> Message:
    """Return that one file has several recordings in sequence."""
    return Message(
        "The recorder changed its video or audio settings during the time span, so the file contains {count} "
        "recordings in sequence. Some players show only the first; the portal shows all.",
        count=contents.parts,
    )


def _readme(contents: Contents) -> bytes:
    """Return what the folder is and how it opens, in every language."""
    lines = []
    for language in languages_of_files():
        lines += [text if isinstance(text, str) else text.translate(language) for text in _lines(contents)]
        lines += ["", "-" * 72, ""]
    return (UTF8_MARK + LINE.join(lines[:-3]) + LINE).encode()


def _lines(contents: Contents) -> list[Text | str]:
    encrypted = f"{contents.footage}.age"
    return [
        Message(
            "{organisation}: copy of footage, application {number}",
            organisation=contents.organisation,
            number=contents.number,
        ),
        "",
        Message("Camera: {camera}", camera=contents.camera),
        Message(
            "Frames: {first} to {last}, in recorder time",
            first=_moment(contents.first, contents.zone),
            last=_moment(contents.last, contents.zone),
        ),
        purpose_of(contents),
        *([parts_of(contents)] if contents.parts > 1 else []),
        Message("Use until {due}", due=_moment(contents.due_at, contents.due_zone)),
        SENTENCES["duty"],
        "",
        *opening_of(contents),
        "",
        *([Message("{name}: the footage, encrypted", name=encrypted)] if contents.opens_with == "browser" else []),
        *([Message("{name}: opens it in a browser", name=OPENER)] if contents.opens_with == "browser" else []),
        Message("{name}: the footage, unchanged since sealed", name=contents.footage),
        Message("{name}: plays it in a browser", name=PLAYER),
        Message("{name}: the cover sheet, to read and print", name=f"{contents.name}.cover.pdf"),
        Message("{name}: the signed label, for a program to verify", name=f"{contents.name}.label.json"),
        Message("{name}: the label, to read and print", name=f"{contents.name}.label.pdf"),
        Message("{name}: the SHA-256 of each file", name=SUMS),
        "",
        Message(
            "To check that nothing has changed: sha256sum -c {sums} on Linux, shasum -a 256 -c {sums} on macOS, "
            "certutil -hashfile {name} SHA256 on Windows.",
            sums=SUMS,
            name=contents.footage,
        ),
    ]


def _moment(when: datetime, zone: str) -> str:
    local = when.astimezone(ZoneInfo(zone))
    return f"{local:%Y-%m-%d %H:%M:%S} {offset(local)}"


def page(
    template: str,
    contents: Contents,
    said: Mapping[str, list[tuple[str, str]]],
    scripts: tuple[Path | str, ...],
    policy: str = "",
) -> bytes:
    """Return a page that needs nothing beside it and reaches nothing: its policy allows its own scripts alone."""
    style = (PAGES / "page.css").read_text(encoding="utf-8")
    texts = [(PAGES / script).read_text(encoding="utf-8") for script in scripts]
    allowed = [
        "default-src 'none'",
        f"script-src {' '.join(map(_source, texts))}",
        f"style-src {_source(style)}",
        *([policy] if policy else []),
        "base-uri 'none'",
        "form-action 'none'",
    ]
    html = (
        templates.environment(languages.DEFAULT)
        .get_template(template)
        .render(
            contents=contents,
            said=said,
            style=Markup(style),  # noqa: S704  # our own files
            scripts=[Markup(text) for text in texts],  # noqa: S704  # the same
            policy="; ".join(allowed),
            licences=(VENDOR / "age-encryption.licence.txt").read_text(encoding="utf-8"),
        )
    )
    return html.encode()


def _source(text: str) -> str:
    """Return how a content policy names a script or a style that stands in the page."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
