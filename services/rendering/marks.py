"""Draw who sees a picture, to be laid over it: the watermark of what is shown or kept without a player (R42, R57)."""

import json
from pathlib import Path

import typst

from services.rendering import glyphs
from services.rendering.pdf import load_fonts

TEMPLATE = Path(__file__).parent / "marks.typ"
LONGEST = 200  # characters of the text


def draw(text: str, width: int, height: int, *, size: int, gap: float = 1.0) -> bytes:
    """Return a PNG of this size, transparent but for the text in lines.

    ``size``: of the letters, in pixels. ``gap``: how many heights of a line the next one is away.
    """
    shown = glyphs.visible(text[:LONGEST])
    times = 2 + int(width / (size * 0.5 * max(1, len(shown))))
    data = {"text": shown, "width": width, "height": height, "size": size, "gap": gap, "times": times}
    compiler = typst.Compiler(
        TEMPLATE,
        root=TEMPLATE.parent,
        font_paths=load_fonts(),
        ignore_system_fonts=True,
        sys_inputs={"marks": json.dumps(data)},
    )
    png = compiler.compile(format="png", ppi=72)
    if not isinstance(png, bytes):
        raise TypeError("typst returned no picture: install the version that requirements.lock names")
    return png
