"""Serve the policy's text as JSON."""

from fastapi import APIRouter

from services.domain.policy_text import text
from services.runtime.threads import run_in_thread
from services.web.dependencies import GivenSettings
from services.web.errors import problems
from services.web.identity import Acting
from services.web.schemas import Answer

router = APIRouter(prefix="/api/policy", tags=["policy"])


class PolicyAnswer(Answer):
    """``version`` is what applications and receipts name; ``text`` is Markdown, ``sha256`` its hash in hexadecimal."""

    version: str
    text: str
    sha256: str


@router.get("", responses=problems(401, 503))
async def read_policy(_actor: Acting, settings: GivenSettings) -> PolicyAnswer:
    """Return the policy's text and its version, to every logged-in person."""
    return PolicyAnswer.model_validate(await run_in_thread(text.read, settings))
