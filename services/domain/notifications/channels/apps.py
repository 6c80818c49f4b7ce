"""Apps of chat services that write to single persons: what WeCom, DingTalk and Feishu take, and what answers mean.

By their public documentation; no real service was called. An app gets an access token for its id and secret, and sends
with it until it ends; where a service says that the token is no good any more, a new one is asked for, once.

* WeCom (developer.work.weixin.qq.com, application messages): ``/cgi-bin/gettoken`` and ``/cgi-bin/message/send`` with a
  text card; secret and token are in the address. A card that comes again within four hours is shown once.
* DingTalk (open.dingtalk.com, one-on-one messages of a robot): ``/v1.0/oauth2/accessToken`` and
  ``/v1.0/robot/oToMessages/batchSend`` with a card. The older work notices (``asyncsend_v2``) are not used: they answer
  with success where nobody is reached, and show the same words once a day.
* Feishu (open.feishu.cn, messages): ``/open-apis/auth/v3/tenant_access_token/internal`` and
  ``/open-apis/im/v1/messages`` with a post. Of the messages with one ``uuid`` it shows one within an hour.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Protocol
from urllib.parse import urlencode

from services.database.unit_of_work import Actor, Database
from services.domain.notifications import chat_apps
from services.domain.notifications.channels import payloads
from services.domain.notifications.channels.calls import TooLong, call
from services.domain.notifications.channels.errors import TOO_MANY, Undelivered
from services.domain.notifications.chat_apps import UNKNOWN, OpenApp
from services.domain.notifications.dispatch import OutgoingNotice
from services.runtime.addresses import Guard, parse_networks
from services.runtime.settings import Settings

ACTOR = Actor("system", "sender")
MOST_BYTES = 64 << 10  # of an answer
MARGIN = timedelta(minutes=3)  # before its end a token is renewed
LEAST = timedelta(minutes=1)  # a token is kept, whatever its service says
LONGEST = timedelta(hours=4)
REFUSED, CREDENTIALS, PERMISSION = "app-refused", "app-credentials", "app-permission"
SAME_CARD_SECONDS = 4 * 3600


class TokenEnded(Undelivered):
    """The service does not accept the access token any more."""

    def __init__(self, detail: str) -> None:
        super().__init__(CREDENTIALS, detail)


@dataclass(frozen=True)
class Request:
    """A call of a service; secrets in it are in no log, so it has no words."""

    method: str
    path: str = field(repr=False)
    body: Mapping[str, Any] | None = field(default=None, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)


class Service(Protocol):
    """What one service takes, and how it answers."""

    def ask_token(self, app: OpenApp) -> Request:
        """Build the request of an access token."""

    def read_token(self, status: int, content: bytes) -> tuple[str, int]:
        """Return the token and its seconds; raises Undelivered."""

    def ask_message(self, app: OpenApp, token: str, person: str, message: payloads.RobotMessage, key: str) -> Request:
        """Build the request that sends the message to one person; ``key`` is the same when it is sent again."""

    def check(self, status: int, content: bytes) -> None:
        """Return if the service took the message; raises Undelivered, and TokenEnded."""


class Apps:
    """Sends notices by chat apps; each call has its app with it, because administrators change it while this runs."""

    def __init__(self, settings: Settings, database: Database) -> None:
        self._settings = settings
        self._database = database
        networks = parse_networks(settings.allowed_networks)
        self._guard = Guard(networks, ("https", "http") if networks else ("https",), field="address", secret=True)

    async def send(self, app: OpenApp, notice: OutgoingNotice) -> None:
        """Send a notice to its person; raises Undelivered."""
        if notice.address is None:
            raise Undelivered(UNKNOWN, for_good=True)
        service = SERVICES[app.kind]
        message = payloads.build_app_message(
            notice, portal_url=self._settings.portal.url, zone=self._settings.zone_info
        )

        async def attempt(token: str) -> None:
            request = service.ask_message(app, token, str(notice.address), message, notice.delivery_id)
            service.check(*await self._call(app, request))

        try:
            held = app.token
            try:
                await attempt(held or await self._renew(app, service))
            except TokenEnded:
                if held is None:
                    raise  # it was new
                await attempt(await self._renew(app, service))
        except Undelivered as error:
            raise Undelivered(error.code, _unsaid(app, error.detail), for_good=error.for_good) from error

    async def _renew(self, app: OpenApp, service: Service) -> str:
        """Get a new access token and keep it for all portals."""
        app.token = None
        token, seconds = service.read_token(*await self._call(app, service.ask_token(app)))
        lasts = min(max(timedelta(seconds=seconds) - MARGIN, LEAST), LONGEST)
        await self._database.run(ACTOR, chat_apps.keep_token, app.id, token, lasts)
        app.token = token
        return token

    async def _call(self, app: OpenApp, request: Request) -> tuple[int, bytes]:
        headers = {"Content-Type": "application/json; charset=utf-8", "User-Agent": "footage-desk", **request.headers}
        body = b"" if request.body is None else json.dumps(request.body, ensure_ascii=False).encode()
        try:
            answer = await call(
                self._guard,
                request.method,
                app.address + request.path,
                seconds=self._settings.notices.timeout_seconds,
                headers=headers,
                body=body,
                most=MOST_BYTES,
            )
            return answer.status, answer.content
        except Undelivered as error:
            if error.code in ("certificate", "unreachable"):
                # what the library says may have the address, and with it the app's secret
                raise Undelivered(error.code, type(error.__cause__).__name__) from error
            raise
        except TooLong as error:
            raise Undelivered(REFUSED, "its answer is too long") from error


def _unsaid(app: OpenApp, detail: str) -> str:
    """Return what a service has said, without the app's secret and token: it may repeat what it was sent."""
    for word in sorted({app.secret, app.token or ""} - {""}, key=len, reverse=True):
        detail = detail.replace(word, "…")
    return detail


def _read(status: int, content: bytes) -> dict[str, Any]:
    """Return the object that a service answers with; raises Undelivered."""
    if status == 429:
        raise Undelivered(TOO_MANY, "HTTP 429")
    if 300 <= status < 400:
        raise Undelivered("redirected", f"HTTP {status}")
    try:
        answer = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise Undelivered(REFUSED, f"HTTP {status}, and no answer of such a service") from error
    if not isinstance(answer, dict):
        raise Undelivered(REFUSED, f"HTTP {status}, and no answer of such a service")
    return answer


def _is_success(status: int, code: object) -> bool:
    return type(code) is int and code == 0 and 200 <= status < 300


def _failed(known: str, code: object, said: object) -> Undelivered:
    return Undelivered(known, f"{code}: {said}", for_good=known == UNKNOWN)


def _token_of(answer: Mapping[str, Any], name: str, lasts: str) -> tuple[str, int]:
    token, seconds = answer.get(name), answer.get(lasts)
    # it goes into a header or an address, so it has no other characters
    if not isinstance(token, str) or not token or not token.isascii() or not token.isprintable() or " " in token:
        raise Undelivered(REFUSED, "it gave no access token")
    return token, seconds if type(seconds) is int else 0


class WeCom:
    """An app of WeCom (企业微信)."""

    ENDED = frozenset({40014, 41001, 42001})
    MEANINGS: Mapping[int, str] = {
        40001: CREDENTIALS,
        40013: CREDENTIALS,
        40003: UNKNOWN,
        40031: UNKNOWN,
        46004: UNKNOWN,
        60111: UNKNOWN,
        81013: UNKNOWN,
        82001: UNKNOWN,
        40056: PERMISSION,
        48002: PERMISSION,
        60011: PERMISSION,
        60020: PERMISSION,
        301002: PERMISSION,
        45009: TOO_MANY,
        45033: TOO_MANY,
    }

    def ask_token(self, app: OpenApp) -> Request:
        query = urlencode({"corpid": app.account, "corpsecret": app.secret})
        return Request("GET", f"/cgi-bin/gettoken?{query}")

    def read_token(self, status: int, content: bytes) -> tuple[str, int]:
        answer = _read(status, content)
        self._require_success(status, answer)
        return _token_of(answer, "access_token", "expires_in")

    def ask_message(self, app: OpenApp, token: str, person: str, message: payloads.RobotMessage, key: str) -> Request:
        card = {
            "title": message.title,
            "description": "<br>".join(message.lines),
            "url": message.link,
        }
        body = {
            "touser": person,
            "msgtype": "textcard",
            "agentid": int(app.agent or 0),
            "textcard": card,
            "enable_duplicate_check": 1,
            "duplicate_check_interval": SAME_CARD_SECONDS,
        }
        return Request("POST", f"/cgi-bin/message/send?{urlencode({'access_token': token})}", body)

    def check(self, status: int, content: bytes) -> None:
        answer = _read(status, content)
        self._require_success(status, answer)
        if answer.get("invaliduser") or answer.get("unlicenseduser"):
            said = "invaliduser" if answer.get("invaliduser") else "unlicenseduser"
            raise Undelivered(UNKNOWN, said, for_good=True)

    def _require_success(self, status: int, answer: Mapping[str, Any]) -> None:
        code, said = answer.get("errcode"), answer.get("errmsg", "")
        if _is_success(status, code):
            return
        if code in self.ENDED:
            raise TokenEnded(f"{code}: {said}")
        raise _failed(self.MEANINGS.get(code, REFUSED) if type(code) is int else REFUSED, code, said)


class DingTalk:
    """The robot of an app of DingTalk (钉钉)."""

    ENDED = frozenset({"InvalidAuthentication"})
    MEANINGS: Mapping[str, str] = {
        "invalidClientIdOrSecret": CREDENTIALS,
        "staffId.notExisted": UNKNOWN,
        "resource.not.found": PERMISSION,  # there is no such robot
        "Forbidden.AccessDenied.AccessTokenPermissionDenied": PERMISSION,
        "Forbidden.AccessDenied.IpNotInWhiteList": PERMISSION,
        "Forbidden.AccessDenied.QpsLimitForAppkeyAndApi": TOO_MANY,
        "Forbidden.AccessDenied.QpsLimitForApi": TOO_MANY,
    }

    def ask_token(self, app: OpenApp) -> Request:
        return Request("POST", "/v1.0/oauth2/accessToken", {"appKey": app.account, "appSecret": app.secret})

    def read_token(self, status: int, content: bytes) -> tuple[str, int]:
        answer = _read(status, content)
        if not 200 <= status < 300 or "code" in answer:
            raise self._failure(answer)
        return _token_of(answer, "accessToken", "expireIn")

    def ask_message(self, app: OpenApp, token: str, person: str, message: payloads.RobotMessage, key: str) -> Request:
        card = {
            "title": message.title,
            "text": "\n\n".join((f"#### {message.title}", *message.lines)),
            "singleTitle": message.open,
            "singleURL": message.link,
        }
        body = {
            "robotCode": app.agent or app.account,
            "userIds": [person],
            "msgKey": "sampleActionCard",
            "msgParam": json.dumps(card, ensure_ascii=False),
        }
        return Request("POST", "/v1.0/robot/oToMessages/batchSend", body, {"x-acs-dingtalk-access-token": token})

    def check(self, status: int, content: bytes) -> None:
        answer = _read(status, content)
        if not 200 <= status < 300 or "code" in answer:
            raise self._failure(answer)
        if answer.get("invalidStaffIdList"):
            raise Undelivered(UNKNOWN, "invalidStaffIdList", for_good=True)
        if answer.get("flowControlledStaffIdList"):
            raise Undelivered(TOO_MANY, "flowControlledStaffIdList")
        if not answer.get("processQueryKey"):
            raise Undelivered(REFUSED, f"HTTP {status}, without a processQueryKey")

    def _failure(self, answer: Mapping[str, Any]) -> Undelivered:
        code, said = answer.get("code"), answer.get("message", "")
        if code in self.ENDED:
            return TokenEnded(f"{code}: {said}")
        return _failed(self.MEANINGS.get(code, REFUSED) if isinstance(code, str) else REFUSED, code, said)


class Feishu:
    """An app of Feishu or Lark (飞书)."""

    ENDED = frozenset({99991661, 99991663, 99991664, 99991668, 99991677})
    MEANINGS: Mapping[int, str] = {
        10003: CREDENTIALS,
        10014: CREDENTIALS,
        230013: UNKNOWN,
        230029: UNKNOWN,
        230034: UNKNOWN,
        230035: UNKNOWN,
        230038: UNKNOWN,
        230053: UNKNOWN,
        99992351: UNKNOWN,
        230006: PERMISSION,
        230027: PERMISSION,
        99991401: PERMISSION,
        99991672: PERMISSION,
        11232: TOO_MANY,
        230020: TOO_MANY,
        99991400: TOO_MANY,
    }

    def ask_token(self, app: OpenApp) -> Request:
        body = {"app_id": app.account, "app_secret": app.secret}
        return Request("POST", "/open-apis/auth/v3/tenant_access_token/internal", body)

    def read_token(self, status: int, content: bytes) -> tuple[str, int]:
        answer = _read(status, content)
        self._require_success(status, answer)
        return _token_of(answer, "tenant_access_token", "expire")

    def ask_message(self, app: OpenApp, token: str, person: str, message: payloads.RobotMessage, key: str) -> Request:
        content = [[{"tag": "text", "text": line}] for line in message.lines]
        content.append([{"tag": "a", "text": message.open, "href": message.link}])
        tongue = "zh_cn" if message.language == "zh" else "en_us"
        post = {tongue: {"title": message.title, "content": content}}
        body = {
            "receive_id": person,
            "msg_type": "post",
            "content": json.dumps(post, ensure_ascii=False),
            "uuid": key[:50],
        }
        query = urlencode({"receive_id_type": app.id_type or "user_id"})
        return Request("POST", f"/open-apis/im/v1/messages?{query}", body, {"Authorization": f"Bearer {token}"})

    def check(self, status: int, content: bytes) -> None:
        self._require_success(status, _read(status, content))

    def _require_success(self, status: int, answer: Mapping[str, Any]) -> None:
        code, said = answer.get("code"), str(answer.get("msg", ""))
        if _is_success(status, code):
            return
        if code in self.ENDED:
            raise TokenEnded(f"{code}: {said}")
        known = self.MEANINGS.get(code, REFUSED) if type(code) is int else REFUSED
        if code == 230001 and "receive_id" in said:
            known = UNKNOWN
        raise _failed(known, code, said)


SERVICES: Mapping[str, Service] = {"wecom": WeCom(), "dingtalk": DingTalk(), "feishu": Feishu()}
