"""The signature in the body of a call: password and code, or a passkey (R25); knows no HTTP."""

from typing import Annotated

from pydantic import Field, SecretStr

from services.database.base import new_id
from services.domain.accounts.signatures.given import Assertion, Proof
from services.runtime.errors import Refused
from services.web.schemas import Body, Code, Identifier

Secret = Annotated[SecretStr, Field(min_length=1, max_length=1000)]
Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
Base64url = Annotated[str, Field(min_length=1, max_length=8192, pattern="^[A-Za-z0-9_-]+$")]


class PasskeySignature(Body):
    """The browser's answer to the prepared options, with their ``pending``."""

    pending: Identifier
    credential_id: Base64url
    authenticator_data: Base64url
    client_data_json: Annotated[Base64url, Field(alias="clientDataJSON")]
    signature: Base64url


class Signing(Body):
    """A passkey's signature, or the password with a code where required.

    With ``prepare`` nothing is signed: the answer is what a passkey is to sign.
    """

    password: Secret | None = None
    code: Code | None = None
    passkey: PasskeySignature | None = None
    prepare: bool = False

    def proof(self) -> Proof:
        """Return the proof. Refused where nothing was given."""
        return self._proof("")

    def _proof(self, form_sha256: str) -> Proof:
        if self.prepare:
            return Proof(form_sha256, preparing=new_id())
        if self.passkey is not None:
            fields = self.passkey.model_dump(by_alias=True)
            return Proof(form_sha256, passkey=Assertion(fields.pop("pending"), fields))
        if self.password is None:
            raise Refused(
                "missing",
                "Enter your password, or sign with a passkey.",
                status=422,
                field="password",
            )
        return Proof(form_sha256, self.password.get_secret_value(), self.code)


class FormSigning(Signing):
    """A signature over the hash of the form that was read."""

    form_sha256: Sha256

    def proof(self) -> Proof:
        """Return the proof with the form's hash."""
        return self._proof(self.form_sha256)
