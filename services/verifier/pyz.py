"""Build ``verify.pyz``: the verifier as one zipapp, with the same bytes from the same release on every machine."""

import hashlib
import io
import zipfile
from functools import cache
from pathlib import Path

FOLDER = Path(__file__).parent
PACKAGE = "services/verifier"
_SHEBANG = b"#!/usr/bin/env python3\n"
_MAIN = "import sys\n\nfrom services.verifier.main import main\n\nsys.exit(main({}))\n"


@cache
def build(*, enclosed: bool = False) -> bytes:
    """Return the file; it needs Python 3.11 or newer and ``cryptography``, and nothing of ours.

    ``enclosed``: the copy for a package, which says so of itself. Readers get the other one from elsewhere.
    """
    files = {"__main__.py": _MAIN.format("enclosed=True" if enclosed else ""), "services/__init__.py": ""}
    modules = [path for path in sorted(FOLDER.glob("*.py")) if path.name != Path(__file__).name]
    files |= {f"{PACKAGE}/{path.name}": path.read_text(encoding="utf-8") for path in modules}
    out = io.BytesIO()
    out.write(_SHEBANG)
    with zipfile.ZipFile(out, "a") as archive:
        for name, text in files.items():
            info = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            info.create_system, info.external_attr = 3, 0o100644 << 16
            archive.writestr(info, text.encode(), zipfile.ZIP_STORED)
    return out.getvalue()


@cache
def sha256() -> str:
    """Return the SHA-256 of this release's verifier, which portal and documents print."""
    return hashlib.sha256(build()).hexdigest()
