"""What a person sends to sign the confidentiality agreement (R59)."""

from services.domain.accounts.signatures.http import Signing
from services.web.schemas import Line


class AgreementBody(Signing):
    """Signing: the version that was read, and the signature."""

    version: Line
