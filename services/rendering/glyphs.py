"""The font of the documents, and what it cannot show: that is written as a code point, never left out (R28).

The font is Noto Serif SC, shipped whole: it has every Chinese character of GBK, of the basic CJK block and of
extension A. One that it lacks, or that would be unseen (a control, a mark of direction), is told as 〔U+20BB7〕; the
data attached to the document hold the character itself.
"""

import re
import struct
import unicodedata
from functools import cache
from pathlib import Path
from typing import Any

FONTS = Path(__file__).parent / "fonts"
FONT = FONTS / "NotoSerifSC-Regular.ttf"
FAMILY = "Noto Serif SC"
UNSEEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_PLAIN = re.compile(r"[\n\x20-\x7e\u4e00-\u9fa5，。；：、（）／]*")


@cache
def shown() -> frozenset[int]:
    """The code points that the font has a picture of, by its own table (OpenType ``cmap``, format 12)."""
    with FONT.open("rb") as file:
        _, tables = struct.unpack(">IH6x", file.read(12))
        directory = [struct.unpack(">4sIII", file.read(16)) for _ in range(tables)]
        offset = next(start for tag, _, start, _ in directory if tag == b"cmap")
        file.seek(offset)
        _, count = struct.unpack(">HH", file.read(4))
        encodings = [struct.unpack(">HHI", file.read(8)) for _ in range(count)]
        file.seek(offset + next(start for platform, kind, start in encodings if (platform, kind) == (3, 10)))
        form, groups = struct.unpack(">H10xI", file.read(16))
        if form != 12:
            raise ValueError(f"the font {FONT.name} has no cmap of format 12: take the one that the manifest names")
        spans = [struct.unpack(">III", file.read(12)) for _ in range(groups)]
    return frozenset(code for first, last, _ in spans for code in range(first, last + 1))


def visible(text: str) -> str:
    """The text as the font shows it: what it lacks as a code point, lines and spaces kept."""
    text = text.replace("\r\n", "\n").replace("\t", "    ")
    return text if _PLAIN.fullmatch(text) else "".join(map(_visible, text))


def lacking(told: Any) -> bool:
    """Whether any text of the tree has to be told by code points."""
    if isinstance(told, str):
        return visible(told).count("〔U+") > told.count("〔U+")
    parts = told.values() if isinstance(told, dict) else told if isinstance(told, list | tuple) else ()
    return any(lacking(one) for one in parts)


def _visible(letter: str) -> str:
    if letter == "\n" or (ord(letter) in shown() and unicodedata.category(letter) not in UNSEEN):
        return letter
    return f"〔U+{ord(letter):04X}〕"


def all_visible(told: Any) -> Any:
    """The same tree with every text visible."""
    if isinstance(told, str):
        return visible(told)
    if isinstance(told, dict):
        return {name: all_visible(value) for name, value in told.items()}
    return [all_visible(one) for one in told] if isinstance(told, list | tuple) else told
