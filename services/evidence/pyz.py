"""Build ``verify.pyz``: the package ``services.verifier`` as one zipapp, with reproducible bytes."""

import io
import zipfile
from pathlib import Path

import services.verifier

PACKAGE = "services/verifier"
_SHEBANG = b"#!/usr/bin/env python3\n"
_MAIN = "import sys\n\nfrom services.verifier.main import main\n\nsys.exit(main())\n"


def build() -> bytes:
    """Return the file; it needs Python 3.11 or newer and ``cryptography``, and nothing of ours."""
    folder = Path(services.verifier.__file__).parent
    files = {"__main__.py": _MAIN, "services/__init__.py": ""}
    files |= {f"{PACKAGE}/{path.name}": path.read_text(encoding="utf-8") for path in sorted(folder.glob("*.py"))}
    out = io.BytesIO()
    out.write(_SHEBANG)
    with zipfile.ZipFile(out, "a", zipfile.ZIP_DEFLATED) as archive:
        for name, text in files.items():
            info = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            info.create_system, info.external_attr = 3, 0o100644 << 16
            archive.writestr(info, text.encode(), zipfile.ZIP_STORED)
    return out.getvalue()
