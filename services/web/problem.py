"""Why something was refused, as views and answers say it; knows no HTTP."""

from typing import Protocol

from pydantic import BaseModel, PrivateAttr

from services.runtime.translations import Text


class CodedMessage(Protocol):
    """A refusal, or what went wrong with a piece of work."""

    @property
    def code(self) -> str: ...

    @property
    def message(self) -> Text: ...


class Problem(BaseModel):
    """Why a call was refused: a stable code, one sentence in each language, and the field at fault."""

    code: str
    zh: str
    en: str
    field: str | None = None
    _message: Text | None = PrivateAttr(default=None)

    @classmethod
    def of(cls, refusal: CodedMessage) -> "Problem":
        """Return what a view says of a refusal; a page has it in every language by ``message``."""
        message = refusal.message
        problem = cls(code=refusal.code, zh=message.zh, en=message.en, field=getattr(refusal, "field", None))
        problem._message = message
        return problem

    @property
    def message(self) -> Text | None:
        return self._message
