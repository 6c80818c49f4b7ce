"""The webhook: post every notice as signed JSON, by Standard Webhooks (standardwebhooks.com).

The receiver joins ``webhook-id``, ``webhook-timestamp`` and the body by full stops, and compares their HMAC-SHA256 with
``webhook-signature``. Any status of 2xx means "received"; the body of the answer is not read.
"""

import base64
import hashlib
import hmac
import ssl
import time

from services.domain.notifications.channels import payloads
from services.domain.notifications.channels.calls import Answer, call
from services.domain.notifications.channels.errors import Undelivered
from services.domain.notifications.dispatch import OutgoingNotice
from services.runtime.addresses import Guard, parse_networks
from services.runtime.settings import Settings


class Webhook:
    """Post to the address of the settings, which is set."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._url = str(settings.notices.webhook.url)
        self._guard = Guard(parse_networks(settings.allowed_networks), ("https", "http"), field="webhook_url")

    async def send(self, notice: OutgoingNotice) -> None:
        """Post a notice; raises Undelivered."""
        body = payloads.build_event(notice, portal_url=self._settings.portal.url)
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "footage-desk",
            "Idempotency-Key": notice.delivery_id,
            # the receiver compares it with its own clock, so it is the real time, also in a demo
            **signature(self._settings.notices.webhook.key, notice.delivery_id, int(time.time()), body),
        }
        answer = await self._call("POST", headers, body)
        if 300 <= answer.status < 400:
            raise Undelivered("redirected", f"HTTP {answer.status}")
        if not 200 <= answer.status < 300:
            raise Undelivered("http-error", f"HTTP {answer.status}", wait=answer.wait)

    async def check(self) -> None:
        """Reach the address and check its certificate, without a payload; raises Undelivered."""
        await self._call("OPTIONS", {}, b"")

    async def _call(self, method: str, headers: dict[str, str], body: bytes) -> Answer:
        """Call the address, without reading the body of what it answers."""
        context = ssl.create_default_context(cafile=self._settings.notices.webhook.ca_file)
        seconds = self._settings.notices.timeout_seconds
        return await call(self._guard, method, self._url, seconds=seconds, headers=headers, body=body, context=context)


def signature(key: bytes, message_id: str, timestamp: int, body: bytes) -> dict[str, str]:
    """Sign the body; return the three headers of Standard Webhooks."""
    signed = f"{message_id}.{timestamp}.".encode() + body
    digest = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    return {"webhook-id": message_id, "webhook-timestamp": str(timestamp), "webhook-signature": f"v1,{digest}"}
