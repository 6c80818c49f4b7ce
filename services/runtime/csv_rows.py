"""Read the lines of a CSV file that somebody uploads, as spreadsheet programs write it."""

import csv
import io
from collections.abc import Collection, Iterator, Mapping
from types import MappingProxyType

from services.runtime.errors import Refused
from services.runtime.translations import Message, Text

MAX_BYTES = 1 << 20
MAX_LINES = 5000
NO_OTHERS: Mapping[str, str] = MappingProxyType({})


def read_rows(
    content: bytes,
    columns: Collection[str],
    *,
    code: str,
    optional: Collection[str] = (),
    called: Mapping[str, str] = NO_OTHERS,
) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield each line that is not empty, counted from 1 with the header, by the names of ``columns``.

    The file may have the ``optional`` columns; where it has not, its lines have none of them. ``called``: other names
    of columns, in small letters.
    Refused, with ``code``, where the file is no such list: UTF-8 or GB 18030, at most ``MAX_BYTES`` and ``MAX_LINES``.
    """

    def refused(message: Text) -> Refused:
        return Refused(code, message, status=422, field="file")

    if len(content) > MAX_BYTES:
        raise refused(Message("The file is too large: upload it in parts."))
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        try:
            text = content.decode("gb18030")  # what Excel writes on a Chinese Windows
        except UnicodeDecodeError as error:
            raise refused(Message("The file is not a text file: save it as CSV (UTF-8).")) from error
    try:
        rows = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    except csv.Error as error:
        raise refused(Message("The file is not a valid CSV file: export it again.")) from error
    written = [cell.strip().lower() for cell in rows[0]] if rows else []
    header = [called.get(cell, cell) for cell in written]
    if sorted(set(header) - set(optional)) != sorted(columns) or len(set(header)) != len(header):
        names = ", ".join(columns)
        raise refused(Message("The first line must name the columns: {names}.", names=names))
    if len(rows) > MAX_LINES:
        raise refused(Message("At most {most_lines} lines: upload the file in parts.", most_lines=MAX_LINES))
    for line, cells in enumerate(rows[1:], 2):
        if any(cell.strip() for cell in cells):
            yield line, dict(zip(header, (*cells, *[""] * len(header)), strict=False))


def plain(cell: str) -> str:
    """Remove the apostrophe with which our export disables spreadsheet formulas."""
    text = cell.strip()
    return text[1:] if text[:1] == "'" and text[1:2] in tuple("=+-@") else text
