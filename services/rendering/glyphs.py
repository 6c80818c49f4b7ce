"""The font of the documents; a character that it cannot show is written as its code point, never left out (R28).

The font is Noto Serif SC, shipped whole: it has every Chinese character of GBK, of the basic CJK block and of
extension A. A missing or invisible character (a control, a mark of direction) is printed as 〔U+20BB7〕; the data
attached to the document contain the character itself.
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
INVISIBLE = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_PLAIN = re.compile(r"[\n\x20-\x7e\u4e00-\u9fa5，。；：、（）／]*")


@cache
def covered() -> frozenset[int]:
    """Return the code points that the font covers, by its own table (OpenType ``cmap``, format 12)."""
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
            raise ValueError(f"the font {FONT.name} has no cmap of format 12: use the one that the manifest names")
        spans = [struct.unpack(">III", file.read(12)) for _ in range(groups)]
    return frozenset(code for first, last, _ in spans for code in range(first, last + 1))


def visible(text: str) -> str:
    """Replace characters that the font cannot show by their code points; lines and spaces stay."""
    text = text.replace("\r\n", "\n").replace("\t", "    ")
    return text if _PLAIN.fullmatch(text) else "".join(map(_visible, text))


def has_code_points(tree: Any) -> bool:
    """Whether ``visible`` replaces a character in any text of the tree."""
    if isinstance(tree, str):
        return visible(tree).count("〔U+") > tree.count("〔U+")
    parts = tree.values() if isinstance(tree, dict) else tree if isinstance(tree, list | tuple) else ()
    return any(has_code_points(part) for part in parts)


def _visible(character: str) -> str:
    if character == "\n" or (ord(character) in covered() and unicodedata.category(character) not in INVISIBLE):
        return character
    return f"〔U+{ord(character):04X}〕"


def all_visible(tree: Any) -> Any:
    """Apply ``visible`` to every text of the tree."""
    if isinstance(tree, str):
        return visible(tree)
    if isinstance(tree, dict):
        return {name: all_visible(value) for name, value in tree.items()}
    return [all_visible(part) for part in tree] if isinstance(tree, list | tuple) else tree
