"""Serve the page of the policy, to every logged-in person."""

from fastapi import APIRouter
from fastapi.responses import Response

from services.domain.policy_text import text
from services.runtime.threads import run_in_thread
from services.web.dependencies import GivenSettings
from services.web.visitor import Visiting

router = APIRouter(prefix="/policy")


@router.get("")
async def read_policy(visitor: Visiting, settings: GivenSettings) -> Response:
    """Show the policy's text with its version."""
    policy = await run_in_thread(text.read, settings)
    return visitor.page("policy_text/policy.html", policy=policy, body=text.to_html(policy.text))
