"""Read uploaded models: files, or one ZIP of them. Whoever uploads may be hostile (R2, R52).

Nothing is taken from a name but its last part, no file is unpacked to a disk, and no more is read than the limits
allow, whatever a ZIP says of itself. XML has no document type, so that there are no entities; libxml2 ends nesting at
256 elements. What the files say is read by the check, in a process of its own.
"""

import hashlib
import io
import re
import tempfile
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from lxml import etree

from services.domain.deployments.record import is_model
from services.domain.stages import file as stage_file
from services.runtime.errors import Refused

CHECK_FILES = ("workers.json", "policy-rules.yaml", "policy-world.yaml")  # what the check itself depends on
OTHERS = (stage_file.NAME, *CHECK_FILES)
FACTS = "policy-facts.json"  # of a folder; it is never uploaded, or an edit would say itself what may be lost
NAME = re.compile(r"\w[\w.-]{0,99}")
MAX_FILE = 1 << 20
MAX_ALL = 4 << 20
MAX_FILES = 60
ZIP_MOMENT = (1980, 1, 1, 0, 0, 0)  # the same files are the same bytes


def read(uploaded: Iterable[tuple[str, bytes]]) -> dict[str, bytes]:
    """Return the files by name; Refused, with a sentence, for what is no set of models."""
    files: dict[str, bytes] = {}
    for name, content in uploaded:
        entries = _unpacked(content) if name.lower().endswith(".zip") else [(name, content)]
        for entry, inside in entries:
            _add(files, entry, inside)
    if not files:
        raise Refused("models-none", "No file was chosen: choose models, or one ZIP file of them.", status=422)
    for name, content in files.items():
        if is_model(name):
            _check_xml(name, content)
    return files


def digests(files: Mapping[str, bytes]) -> dict[str, str]:
    """Return the SHA-256 of each file by name."""
    return {name: hashlib.sha256(content).hexdigest() for name, content in sorted(files.items())}


def pack(files: Mapping[str, bytes]) -> bytes:
    """Return a ZIP of the files."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in sorted(files.items()):
            archive.writestr(zipfile.ZipInfo(name, ZIP_MOMENT), content, zipfile.ZIP_DEFLATED)
    return packed.getvalue()


def unpack(packed: bytes) -> dict[str, bytes]:
    """Return the files of a ZIP that ``pack`` made."""
    with zipfile.ZipFile(io.BytesIO(packed)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


@contextmanager
def written(files: Mapping[str, bytes]) -> Iterator[Path]:
    """Write files of a set to a folder of their own, for the block; ``read`` has looked at their names."""
    with tempfile.TemporaryDirectory(prefix="footage-desk-models-") as name:
        for file, content in files.items():
            Path(name, file).write_bytes(content)
        yield Path(name)


def _add(files: dict[str, bytes], name: str, content: bytes) -> None:
    if not NAME.fullmatch(name) or not (is_model(name) or name in OTHERS):
        raise Refused(
            "models-file-unknown",
            "{file} does not belong to a set of models, which has BPMN and DMN files, {others}: leave it out.",
            status=422,
            file=_shown(name),
            others=", ".join(OTHERS),
        )
    if name in files:
        raise Refused("models-file-twice", "{file} was uploaded twice: choose it once.", status=422, file=name)
    if len(content) > MAX_FILE:
        raise _too_large(name)
    if len(files) >= MAX_FILES or sum(map(len, files.values())) + len(content) > MAX_ALL:
        raise _too_many()
    files[name] = content


def _unpacked(packed: bytes) -> list[tuple[str, bytes]]:
    try:
        with zipfile.ZipFile(io.BytesIO(packed)) as archive:
            entries = [info for info in archive.infolist() if not info.is_dir()]
            if len(entries) > MAX_FILES:
                raise _too_many()
            names = _names(entries)
            unpacked, left = [], MAX_ALL
            for info, name in zip(entries, names, strict=True):
                with archive.open(info) as entry:
                    content = entry.read(min(MAX_FILE, left) + 1)  # what it says of its size is not believed
                if len(content) > min(MAX_FILE, left):
                    raise _too_large(name)
                left -= len(content)
                unpacked.append((name, content))
            return unpacked
    # All that a broken, encrypted or strangely packed ZIP makes of the standard library.
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, EOFError, OSError, ValueError) as error:
        raise Refused(
            "models-zip-wrong", "The ZIP file cannot be read: make it again, without a password.", status=422
        ) from error


def _names(entries: Iterable[zipfile.ZipInfo]) -> list[str]:
    """Return the names without the one folder that they may all lie in."""
    paths = [PurePosixPath(info.filename) for info in entries]
    if len({path.parent for path in paths}) > 1 or any(len(path.parts) > 2 or ".." in path.parts for path in paths):
        raise Refused(
            "models-zip-folders",
            "The ZIP file has folders: put all files at its top, or into one folder.",
            status=422,
        )
    return [path.name for path in paths]


def _check_xml(name: str, content: bytes) -> None:
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
    try:
        root = etree.fromstring(content, parser)
    except etree.XMLSyntaxError as error:
        raise Refused(
            "models-xml-wrong",
            "{file}, line {line}: this is no XML that can be read. Save the file again in the Modeler.",
            status=422,
            file=name,
            line=error.lineno or 1,
        ) from error
    if root.getroottree().docinfo.internalDTD is not None:
        raise Refused(
            "models-doctype",
            "{file} has a document type (DOCTYPE), which no model needs: remove it.",
            status=422,
            file=name,
        )


def _too_large(name: str) -> Refused:
    return Refused(
        "models-file-large",
        "{file} is larger than {most} MiB: a model is not that large.",
        status=422,
        file=_shown(name),
        most=MAX_FILE >> 20,
    )


def _too_many() -> Refused:
    return Refused(
        "models-too-many",
        "A set of models has at most {files} files and {size} MiB: upload only what belongs to it.",
        status=422,
        files=MAX_FILES,
        size=MAX_ALL >> 20,
    )


def _shown(name: str) -> str:
    return name if len(name) <= 100 else name[:99] + "…"
