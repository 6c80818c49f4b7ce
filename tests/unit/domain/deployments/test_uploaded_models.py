"""Uploads of models are hostile until they have been read: limits with sentences, and nothing unpacked to a disk."""

import io
import zipfile
from collections.abc import Callable

import pytest

from services.domain.deployments import uploads
from services.runtime.errors import Refused

XML = b'<?xml version="1.0"?><definitions xmlns="x"/>'
PLAIN = {"a.bpmn": XML, "workers.json": b"{}"}
LAUGHS = b"""<!DOCTYPE d [<!ENTITY a "haha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]><d>&b;</d>"""
OUTSIDE = b"""<!DOCTYPE d [<!ENTITY f SYSTEM "file:///etc/passwd">]><d>&f;</d>"""


def zipped(*entries: tuple[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries:
            archive.writestr(name, content)
    return packed.getvalue()


def lying(packed: bytes) -> bytes:
    """The ZIP says of its only file that it is one byte long."""
    size = (uploads.MAX_FILE + 9).to_bytes(4, "little")
    return packed.replace(size, (1).to_bytes(4, "little"))


def encrypted() -> bytes:
    packed = bytearray(zipped(("a.bpmn", XML)))
    for header, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        packed[packed.index(header) + flags] |= 1
    return bytes(packed)


def test_files_and_a_zip_of_them_are_the_same_models() -> None:
    assert uploads.read(PLAIN.items()) == PLAIN
    assert uploads.read([("set.zip", zipped(*PLAIN.items()))]) == PLAIN
    assert uploads.read([("set.zip", zipped(*((f"models/{name}", one) for name, one in PLAIN.items())))]) == PLAIN
    assert uploads.unpack(uploads.pack(PLAIN)) == PLAIN
    assert uploads.pack(PLAIN) == uploads.pack(dict(reversed(PLAIN.items())))


@pytest.mark.requirement("R52", refuses=True)
@pytest.mark.parametrize(
    ("code", "given"),
    [
        ("models-none", lambda: []),
        ("models-none", lambda: [("empty.zip", zipped())]),
        ("models-file-unknown", lambda: [("run.sh", b"")]),
        ("models-file-unknown", lambda: [("policy-facts.json", b"{}")]),
        ("models-file-unknown", lambda: [("../../etc/x.bpmn", XML)]),
        ("models-file-unknown", lambda: [(".bpmn", XML)]),
        ("models-file-unknown", lambda: [("a" * 300 + ".bpmn", XML)]),
        ("models-file-unknown", lambda: [("a.zip", zipped(("b.zip", zipped(("c.bpmn", XML)))))]),
        ("models-file-twice", lambda: [("a.bpmn", XML), ("set.zip", zipped(("a.bpmn", XML)))]),
        ("models-file-large", lambda: [("a.bpmn", b" " * (uploads.MAX_FILE + 1))]),
        ("models-file-large", lambda: [("bomb.zip", zipped(("a.bpmn", b"0" * (uploads.MAX_FILE + 9))))]),
        ("models-zip-wrong", lambda: [("bomb.zip", lying(zipped(("a.bpmn", b"0" * (uploads.MAX_FILE + 9)))))]),
        ("models-zip-wrong", lambda: [("a.zip", b"no zip")]),
        ("models-zip-wrong", lambda: [("a.zip", zipped(("a.bpmn", XML))[:-30])]),
        ("models-zip-wrong", lambda: [("a.zip", encrypted())]),
        ("models-too-many", lambda: [(f"{n}.bpmn", XML) for n in range(uploads.MAX_FILES + 1)]),
        ("models-too-many", lambda: [("a.zip", zipped(*((f"{n}.bpmn", XML) for n in range(uploads.MAX_FILES + 1))))]),
        ("models-too-many", lambda: [(f"{n}.bpmn", b"0" * uploads.MAX_FILE) for n in range(5)]),
        ("models-zip-folders", lambda: [("a.zip", zipped(("../a.bpmn", XML)))]),
        ("models-zip-folders", lambda: [("a.zip", zipped(("/etc/cron.d/a.bpmn", XML)))]),
        ("models-zip-folders", lambda: [("a.zip", zipped(("a/a.bpmn", XML), ("b/b.bpmn", XML)))]),
        ("models-xml-wrong", lambda: [("a.bpmn", b"<definitions>")]),
        ("models-xml-wrong", lambda: [("a.dmn", b"<d>" * 5000 + b"</d>" * 5000)]),
        ("models-doctype", lambda: [("a.bpmn", LAUGHS)]),
        ("models-doctype", lambda: [("a.bpmn", OUTSIDE)]),
        (
            "models-doctype",
            lambda: [("a.bpmn", ('<?xml version="1.0" encoding="UTF-16"?>' + OUTSIDE.decode()).encode("utf-16"))],
        ),
    ],
)
def test_what_is_no_set_of_models_is_refused(code: str, given: Callable[[], list[tuple[str, bytes]]]) -> None:
    with pytest.raises(Refused) as refused:
        uploads.read(given())
    assert (refused.value.code, refused.value.status) == (code, 422)
    assert refused.value.zh != refused.value.en
    assert len(refused.value.en) < 400
