"""A stage that an organisation adds to ``review-stages.json``: an interpreter's review."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from review_desk import ReviewDesk

from services.domain.stages import file as stage_file
from services.domain.stages.catalogue import DEFAULT_FOLDER, STAGES

OWN: dict[str, dict[str, Any]] = {
    "posts": {"interpreter": {"zh": "翻译员", "en": "interpreter"}},
    "duties": {"interpreting": {"zh": "翻译审核人", "en": "the interpreter"}},
    "stages": {
        "interpreting": {
            "zh": "翻译审核",
            "en": "interpreter's review",
            "phase": "approval",
            "duty": "interpreting",
            "candidates": [
                {"posts": ["interpreter"], "departments": "any"},
                {"posts": ["head"], "departments": "administration"},
            ],
            "limit": "PT8H",
            "signature": "password+totp",
            "outcomes": ["approved", "returned"],
            "reasonFor": ["returned"],
            "questions": [
                {"code": "translatable", "zh": "能否翻译？", "en": "Can it be translated?"},
                {"code": "dialect", "zh": "是否为方言？", "en": "Is it a dialect?", "yesToApprove": False},
            ],
        }
    },
}


@contextmanager
def own_stage(folder: Path) -> Iterator[None]:
    """Work by a file in ``folder`` that has the stage; afterwards by the shipped one again."""
    content = json.loads((DEFAULT_FOLDER / stage_file.NAME).read_text(encoding="utf-8"))
    for part, new in OWN.items():
        content[part].update(new)
    (folder / stage_file.NAME).write_text(json.dumps(content), encoding="utf-8")
    STAGES.use(folder)
    try:
        yield
    finally:
        STAGES.use(DEFAULT_FOLDER)


@contextmanager
def own_stage_desk(folder: Path) -> Iterator[ReviewDesk]:
    """A desk whose file has the stage; ``inspector`` is an interpreter, too."""
    with own_stage(folder):
        desk = ReviewDesk(f"sqlite:///{folder / 'database.sqlite3'}")
        desk.post("inspector", "interpreter", "security")
        yield desk
        desk.close()
