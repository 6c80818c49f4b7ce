"""Lists as CSV that is safe to open in a spreadsheet."""

import csv
import io
from collections.abc import Iterable, Sequence
from urllib.parse import quote

from starlette.responses import Response

Cell = str | int | float | bool | None

# A spreadsheet runs a cell that begins with one of these as a formula, with the reader's rights.
FORMULA = ("=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠")
MARK = "\ufeff"  # without it Excel reads Chinese in the machine's code page


def csv_answer(name: str, header: Sequence[str], rows: Iterable[Sequence[Cell]]) -> Response:
    """Return the rows as the attachment ``<name>.csv``: RFC 4180, UTF-8 with a byte order mark.

    Text that a spreadsheet would run as a formula is prefixed with an apostrophe; numbers stay.
    """
    buffer = io.StringIO()
    buffer.write(MARK)
    csv.writer(buffer).writerows([safe(cell) for cell in row] for row in (header, *rows))
    disposition = f"attachment; filename=\"list.csv\"; filename*=UTF-8''{quote(name, safe='')}.csv"
    return Response(
        buffer.getvalue(),
        media_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": disposition, "Cache-Control": "no-store"},
    )


def safe(cell: Cell) -> str | int | float:
    """Return the cell in a form that no spreadsheet runs."""
    if cell is None:
        return ""
    if isinstance(cell, str):
        return f"'{cell}" if cell.lstrip(" ").startswith(FORMULA) else cell
    return cell
