"""Define the body that signs the confidentiality agreement (R59)."""

from services.domain.accounts.signatures.bodies import Signing
from services.web.schemas import Line


class AgreementBody(Signing):
    """The version that was read, and the signature."""

    version: Line
