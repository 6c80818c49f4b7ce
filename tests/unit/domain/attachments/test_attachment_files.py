"""What is taken as an attachment, by its content alone: images without metadata, PDFs that only show pages."""

import asyncio
import struct

import letters
import photographs
import pytest

from services.domain.attachments import examination, names
from services.domain.attachments.examination import Examined
from services.runtime.errors import Refused

GPS = b"GPSLatitude 31.2304 N, Leica of Zhang San"


def examined(content: bytes) -> Examined:
    return asyncio.run(examination.examine(content))


def refused(content: bytes) -> str:
    with pytest.raises(Refused) as refusal:
        examined(content)
    assert refusal.value.status == 422
    assert refusal.value.zh
    return refusal.value.code


def test_a_photograph_is_written_anew_upright_without_place_and_without_what_lies_behind_it() -> None:
    brought = photographs.zipped_behind(photographs.with_exif(photographs.jpeg(400, 300), 6, GPS))

    kept = examined(brought)

    assert kept.media_type == "image/jpeg"
    assert not [mark for mark in (b"Exif", GPS, b"PK\x03\x04", b"payload") if mark in kept.content]
    width, height, colours = photographs.colours(kept.content)
    assert (width, height) == (300, 400)
    assert photographs.near(colours["top"], photographs.RED)


def test_a_png_keeps_its_pixels_and_loses_its_texts() -> None:
    picture = photographs.png(64, 48)
    text = photographs.chunk(b"tEXt", b"Comment\0" + GPS)

    kept = examined(picture[:33] + text + picture[33:])

    assert kept.media_type == "image/png"
    assert GPS not in kept.content
    assert struct.unpack_from(">II", kept.content, 16) == (64, 48)


def test_a_letter_is_kept_byte_for_byte() -> None:
    for content in (letters.letter(3), letters.with_packed_text(), letters.linked()):
        assert examined(content) == Examined(content, "application/pdf")


@pytest.mark.requirement("R52", "R55")
@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "attachment-empty"),
        (b"MZ\x90\0 a program that is called letter.pdf", "attachment-kind"),
        (b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>', "attachment-kind"),
        (b"<!doctype html><script>alert(1)</script>%PDF-1.7", "attachment-kind"),
        (b"GIF89a" + bytes(20), "attachment-kind"),
        (photographs.jpeg(200, 200)[:700], "attachment-damaged"),
        (photographs.told_png(60_000, 60_000, bytes(1000)), "attachment-pixels"),
        (photographs.told_png(5000, 5000, bytes(1000)), "attachment-damaged"),
        (b"%PDF-1.7\n%%EOF", "attachment-pdf-damaged"),
        (letters.letter()[:-40], "attachment-pdf-damaged"),
        (letters.zipped_into(letters.letter()), "attachment-pdf-more"),
        (letters.letter() + b"<script>alert(1)</script>", "attachment-pdf-more"),
        (letters.with_script(), "attachment-pdf-script"),
        (letters.with_file_inside(), "attachment-pdf-embedded"),
        (letters.acting("/Launch"), "attachment-pdf-launch"),
        (letters.acting("/SubmitForm"), "attachment-pdf-launch"),
        (letters.calling(page=False), "attachment-pdf-launch"),
        (letters.calling(page=True), "attachment-pdf-launch"),
        (letters.image_by_reference(60_000), "attachment-pdf-bomb"),
        (letters.locked(), "attachment-pdf-encrypted"),
        (letters.packed_twice(), "attachment-pdf-bomb"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_something_else_or_does_something_is_refused(content: bytes, code: str) -> None:
    assert refused(content) == code


@pytest.mark.requirement("R52")
def test_a_pdf_that_unpacks_to_far_more_is_refused() -> None:
    for bomb in (letters.bomb, letters.packed_as_text, letters.bomb_by_reference):
        assert refused(bomb(300 << 20)) == "attachment-pdf-bomb", bomb


def test_a_pdf_of_too_many_pages_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(examination, "MOST_PAGES", 2)
    assert refused(letters.letter(3)) == "attachment-pdf-pages"


@pytest.mark.parametrize(
    "name",
    ["", "   ", "..", "../../etc/passwd", "C:\\x.pdf", "a\r\nX-Evil: 1.pdf", "a\0.pdf", "a\u202efdp.exe", "长" * 121],
)
def test_a_name_is_no_path_and_has_no_hidden_letters(name: str) -> None:
    with pytest.raises(Refused) as refusal:
        names.check(name)
    assert refusal.value.code == "attachment-name"


def test_a_name_ends_as_its_content_is() -> None:
    assert names.with_extension(names.check(" 公函.PDF "), "application/pdf") == "公函.PDF"
    assert names.with_extension("letter.exe", "application/pdf") == "letter.exe.pdf"
