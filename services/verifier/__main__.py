"""``python verify.pyz PACKAGE`` and ``python -m services.verifier PACKAGE``."""

import sys

from services.verifier.main import main

if __name__ == "__main__":
    sys.exit(main())
