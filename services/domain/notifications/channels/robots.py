"""Robots of chat groups: what WeCom, DingTalk and Feishu take, how they are signed, what their answers mean.

By their public documentation; no real service was called. All three answer with HTTP 200 and a code in the body.

* WeCom (developer.work.weixin.qq.com, group robots): no signature, the address is the secret; 20 messages a minute.
* DingTalk (open.dingtalk.com, custom robots): HMAC-SHA256 with the secret over ``timestamp\\nsecret``, in milliseconds,
  both in the address; 20 messages a minute, then nothing for ten minutes.
* Feishu (open.feishu.cn, custom bots): HMAC-SHA256 over nothing with the key ``timestamp\\nsecret``, in seconds, both
  in the body; 100 messages a minute, five a second.
"""

import base64
import hmac
import json
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from services.domain.notifications.channels import payloads
from services.domain.notifications.channels.calls import Answer, TooLong, call
from services.domain.notifications.channels.errors import TOO_MANY, Undelivered
from services.domain.notifications.dispatch import OutgoingNotice
from services.domain.notifications.robots import Robot
from services.runtime.addresses import Guard, parse_networks
from services.runtime.settings import Settings

MOST_BYTES = 64 << 10  # of an answer
GONE = "robot-gone"  # no retry helps: a robot is never changed
# Answers by code; all others are refused with what the service says.
_ANSWERS: dict[str, dict[int, str]] = {
    "wecom": {45009: TOO_MANY, 45033: TOO_MANY, 93000: GONE, 93008: GONE},
    "dingtalk": {
        130101: TOO_MANY,
        90030: TOO_MANY,
        300001: GONE,
        400101: GONE,
        400102: GONE,
        310000: "robot-security",
    },
    "feishu": {
        11232: TOO_MANY,
        19001: GONE,
        19021: "robot-signature",
        19022: "robot-security",
        19024: "robot-security",
    },
}


class Robots:
    """Sends notices by robots; each call has its robot with it, because administrators change them while this runs."""

    def __init__(self, settings: Settings, *, now: Callable[[], float] = time.time) -> None:
        self._settings = settings
        self._guard = Guard(parse_networks(settings.allowed_networks), ("https", "http"), field="address", secret=True)
        self._now = now  # the service compares it with its own clock, so it is the real time, also in a demo

    async def send(self, robot: Robot, notice: OutgoingNotice) -> None:
        """Send a notice to the robot's group; raises Undelivered."""
        message = payloads.build_robot_message(notice, robot.language, portal_url=self._settings.portal.url)
        address, body = sign(robot, FORMS[robot.kind](message), self._now())
        answer = await self._post(address, json.dumps(body, ensure_ascii=False).encode())
        try:
            check_answer(robot.kind, answer.status, answer.content)
        except Undelivered as error:
            raise Undelivered(error.code, _unsaid(robot, error.detail), for_good=error.for_good) from error

    async def _post(self, address: str, body: bytes) -> Answer:
        seconds = self._settings.notices.timeout_seconds
        headers = {"Content-Type": "application/json; charset=utf-8", "User-Agent": "footage-desk"}
        try:
            return await call(
                self._guard, "POST", address, seconds=seconds, headers=headers, body=body, most=MOST_BYTES
            )
        except Undelivered as error:
            if error.code in ("certificate", "unreachable"):
                # What the library says may have the address, and with it the robot's token.
                raise Undelivered(error.code, type(error.__cause__).__name__) from error
            raise
        except TooLong as error:
            raise Undelivered("robot-refused", "its answer is too long") from error


def _unsaid(robot: Robot, detail: str) -> str:
    """Return what a service has said, without the robot's token and secret: it may repeat what it was sent."""
    parts = urlsplit(robot.address)
    tokens = {parts.path.rpartition("/")[2] if robot.kind == "feishu" else ""}
    tokens |= {value for values in parse_qs(parts.query).values() for value in values}
    for word in sorted({robot.address, robot.secret or "", *tokens} - {""}, key=len, reverse=True):
        detail = detail.replace(word, "…")
    return detail


def sign(robot: Robot, body: dict[str, Any], seconds: float) -> tuple[str, dict[str, Any]]:
    """Return address and body as the robot's service wants them signed at this moment."""
    if robot.secret is None:
        return robot.address, body
    if robot.kind == "dingtalk":
        stamp = str(round(seconds * 1000))
        digest = hmac.digest(robot.secret.encode(), f"{stamp}\n{robot.secret}".encode(), "sha256")
        signed = urlencode({"timestamp": stamp, "sign": base64.b64encode(digest).decode()})
        return f"{robot.address}&{signed}", body
    stamp = str(int(seconds))
    digest = hmac.digest(f"{stamp}\n{robot.secret}".encode(), b"", "sha256")
    return robot.address, {"timestamp": stamp, "sign": base64.b64encode(digest).decode(), **body}


def check_answer(kind: str, status: int, content: bytes) -> None:
    """Return if the service took the message; raises Undelivered with what its answer means."""
    if status == 429:
        raise Undelivered(TOO_MANY, "HTTP 429")
    if 300 <= status < 400:
        raise Undelivered("redirected", f"HTTP {status}")
    try:
        answer = json.loads(content)
        code = next(answer[name] for name in ("errcode", "code", "StatusCode") if name in answer)
        said = next((str(answer[name]) for name in ("errmsg", "msg", "StatusMessage") if name in answer), "")
    except (ValueError, TypeError, StopIteration, RecursionError) as error:
        raise Undelivered("robot-refused", f"HTTP {status}, and no answer of such a robot") from error
    if code == 0 and type(code) is int and 200 <= status < 300:
        return
    known = _ANSWERS[kind].get(code, "robot-refused") if isinstance(code, int) else "robot-refused"
    if kind == "feishu" and "too many" in said.lower():
        known = TOO_MANY
    raise Undelivered(known, f"{code}: {said}", for_good=known == GONE)


def _wecom(message: payloads.RobotMessage) -> dict[str, Any]:
    lines = [f"**{message.title}**", *message.lines, f"[{message.open}]({message.link})"]
    return {"msgtype": "markdown", "markdown": {"content": "\n".join(lines)}}


def _dingtalk(message: payloads.RobotMessage) -> dict[str, Any]:
    lines = [f"#### {message.title}", *message.lines, f"[{message.open}]({message.link})"]
    return {"msgtype": "markdown", "markdown": {"title": message.title, "text": "\n\n".join(lines)}}


def _feishu(message: payloads.RobotMessage) -> dict[str, Any]:
    content = [[{"tag": "text", "text": line}] for line in message.lines]
    content.append([{"tag": "a", "text": message.open, "href": message.link}])
    tongue = "zh_cn" if message.language == "zh" else "en_us"
    return {"msg_type": "post", "content": {"post": {tongue: {"title": message.title, "content": content}}}}


FORMS: dict[str, Callable[[payloads.RobotMessage], dict[str, Any]]] = {
    "wecom": _wecom,
    "dingtalk": _dingtalk,
    "feishu": _feishu,
}
