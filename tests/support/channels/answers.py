"""What servers of notices may answer, each a row of the tables of docs/notices.md.

The answers of WeCom, DingTalk and Feishu are written from their public documentation; none was recorded.
"""

from dataclasses import dataclass
from typing import Literal

Channel = Literal["robot", "app", "mail", "webhook"]
# ``nobody`` listens; a certificate ``elsewhere`` is of another name, an ``unknown`` one of an authority that is not
# trusted; ``clear`` is a port without TLS; ``inside`` is an address in a network that is not allowed (any more).
Network = Literal["", "nobody", "elsewhere", "unknown", "clear", "inside"]
EACH = ("wecom", "dingtalk", "feishu")


@dataclass(frozen=True)
class Answer:
    """One answer. ``kind``: of the service, empty where each of them is asked; ``to``: what is answered.

    ``says``: the bytes, None for nothing, ever; what is no whole line or answer is cut off. ``en`` and ``zh`` describe
    it.
    """

    channel: Channel
    kind: str
    to: str
    says: bytes | None
    en: str
    zh: str
    network: Network = ""


def http(status: str, body: str = "", *headers: str) -> bytes:
    """An HTTP answer."""
    lines = [f"HTTP/1.1 {status}", *headers, f"Content-Length: {len(body.encode())}", "", body]
    return "\r\n".join(lines).encode()


def _said(channel: Channel, kind: str, to: str, status: int, body: str, *words: str) -> Answer:
    """``words``: what is to be said of it in English and Chinese, if anything."""
    raw = f"`{status} {body}`" if body else f"`{status}`"
    named = (f"{raw}: {words[0]}", f"{raw}：{words[1]}") if words else (raw, raw)
    return Answer(channel, kind, to, http(f"{status} -", body), *named)


def _robot(kind: str, status: int, body: str, *words: str) -> Answer:
    return _said("robot", kind, "message", status, body, *words)


def _app(kind: str, to: str, status: int, body: str, *words: str) -> Answer:
    return _said("app", kind, to, status, body, *words)


def _wrong_by_http(channel: Channel, to: str) -> tuple[Answer, ...]:
    """What any server may answer that is called by HTTP."""
    page = http("200 OK", "<!DOCTYPE html><html><body>Please sign in</body></html>")
    long = b"HTTP/1.1 200 OK\r\n\r\n" + b"0" * 200_000
    moved = ("Location: https://elsewhere.example/",)
    answers: tuple[tuple[bytes | None, str, str, Network], ...] = (
        (page, "a login page as 200", "登录页面冒充 200", ""),
        (long, "an answer of 200 KB", "200 KB 的回答", ""),
        (http("302 Found", "", *moved), "`302`: elsewhere", "`302`：转到别处", ""),
        (http("307 Temporary Redirect", "", *moved), "`307`: elsewhere", "`307`：转到别处", ""),
        (http("429 Too Many Requests"), "`429`", "`429`", ""),
        (
            http("429 Too Many Requests", "", "Retry-After: 3600"),
            "`429` with `Retry-After: 3600`",
            "`429`，带 `Retry-After: 3600`",
            "",
        ),
        (http("500 Internal Server Error"), "`500`", "`500`", ""),
        (
            http("503 Service Unavailable", "", "Retry-After: 3600"),
            "`503` with `Retry-After: 3600`",
            "`503`，带 `Retry-After: 3600`",
            "",
        ),
        (None, "nothing, ever", "始终没有回答", ""),
        (b"HTTP/1.1 20", "cut off in its first line", "在第一行中断", ""),
        (b"220 mail.example ESMTP\r\n", "no HTTP", "不是 HTTP", ""),
        (b"", "nobody listens at the port", "端口无人监听", "nobody"),
        (b"", "no TLS at an `https` address", "`https` 地址上没有 TLS", "clear"),
        (b"", "a certificate of an unknown authority", "证书的颁发机构不受信任", "unknown"),
        (b"", "an address in a network that is not allowed", "地址所在的网络未获允许", "inside"),
    )
    return tuple(Answer(channel, "", to, says, en, zh, network) for says, en, zh, network in answers)


ROBOTS = (
    _robot("wecom", 200, '{"errcode":0,"errmsg":"ok"}'),
    _robot("wecom", 200, '{"errcode":45009,"errmsg":"api freq out of limit"}'),
    _robot("wecom", 200, '{"errcode":93000,"errmsg":"invalid webhook url"}', "removed from its group", "已被移出群"),
    _robot("wecom", 200, '{"errcode":40008,"errmsg":"invalid message type"}'),
    _robot("wecom", 200, '{"errcode":0', "cut off", "中断"),
    _robot("wecom", 500, '{"errcode":0}', "a success that the status denies", "状态码否定的成功"),
    _robot("dingtalk", 200, '{"errcode":0,"errmsg":"ok"}'),
    _robot("dingtalk", 200, '{"errcode":130101,"errmsg":"send too fast, exceed 20 times per minute"}'),
    _robot(
        "dingtalk",
        200,
        '{"errcode":310000,"errmsg":"sign not match"}',
        "signature, keywords or address",
        "签名、关键词或地址",
    ),
    _robot("dingtalk", 200, '{"errcode":300001,"errmsg":"token is not exist"}'),
    _robot("dingtalk", 200, '{"errcode":400101,"errmsg":"access_token not exist"}'),
    _robot("feishu", 200, '{"code":0,"msg":"success","data":{}}'),
    _robot("feishu", 200, '{"StatusCode":0,"StatusMessage":"success"}', "its older form", "旧形式"),
    _robot(
        "feishu",
        200,
        '{"code":19021,"msg":"sign match fail or timestamp is not within one hour from current time"}',
        "secret, or this server's clock",
        "密钥，或本服务器的时钟",
    ),
    _robot("feishu", 200, '{"code":19022,"msg":"Ip Not Allowed"}'),
    _robot("feishu", 200, '{"code":19024,"msg":"Key Words Not Found"}'),
    _robot("feishu", 200, '{"code":19001,"msg":"param invalid: incoming webhook access token invalid"}'),
    _robot("feishu", 200, '{"code":11232,"msg":"create message trigger frequency limit"}'),
    _robot("feishu", 400, '{"code":9499,"msg":"too many request"}'),
    _robot("feishu", 400, '{"code":9499,"msg":"Bad Request"}'),
    *_wrong_by_http("robot", "message"),
)

APPS = (
    _app("wecom", "token", 200, '{"errcode":0,"errmsg":"ok","access_token":"t","expires_in":7200}'),
    _app("wecom", "token", 200, '{"errcode":40001,"errmsg":"invalid credential"}', "the secret", "密钥"),
    _app("wecom", "token", 200, '{"errcode":40013,"errmsg":"invalid corpid"}'),
    _app("wecom", "token", 200, '{"errcode":0,"errmsg":"ok"}', "no token", "没有令牌"),
    _app("wecom", "message", 200, '{"errcode":0,"errmsg":"ok","msgid":"m"}'),
    _app("wecom", "message", 200, '{"errcode":0,"errmsg":"ok","invaliduser":"keeper.id"}'),
    _app("wecom", "message", 200, '{"errcode":0,"errmsg":"ok","unlicenseduser":"keeper.id"}'),
    _app("wecom", "message", 200, '{"errcode":81013,"errmsg":"user & party & tag all invalid"}'),
    _app("wecom", "message", 200, '{"errcode":42001,"errmsg":"access_token expired"}'),
    _app("wecom", "message", 200, '{"errcode":40014,"errmsg":"invalid access_token"}'),
    _app("wecom", "message", 200, '{"errcode":60020,"errmsg":"not allow to access from your ip"}'),
    _app(
        "wecom",
        "message",
        200,
        '{"errcode":301002,"errmsg":"not allow operate another agent with this accesstoken"}',
        "the AgentId of another app",
        "别的应用的 AgentId",
    ),
    _app("wecom", "message", 200, '{"errcode":45009,"errmsg":"api freq out of limit"}'),
    _app("wecom", "message", 200, '{"errcode":-1,"errmsg":"system busy"}'),
    _app("wecom", "message", 500, '{"errcode":0}', "a success that the status denies", "状态码否定的成功"),
    _app("dingtalk", "token", 200, '{"accessToken":"t","expireIn":7200}'),
    _app("dingtalk", "token", 400, '{"code":"invalidClientIdOrSecret","message":"invalid"}'),
    _app("dingtalk", "message", 200, '{"processQueryKey":"q","invalidStaffIdList":[],"flowControlledStaffIdList":[]}'),
    _app("dingtalk", "message", 200, '{"processQueryKey":"q","invalidStaffIdList":["keeper.id"]}'),
    _app("dingtalk", "message", 400, '{"code":"staffId.notExisted","message":"no such staff"}'),
    _app("dingtalk", "message", 200, '{"processQueryKey":"q","flowControlledStaffIdList":["keeper.id"]}'),
    _app("dingtalk", "message", 403, '{"code":"Forbidden.AccessDenied.QpsLimitForAppkeyAndApi","message":"qps"}'),
    _app("dingtalk", "message", 400, '{"code":"InvalidAuthentication","message":"invalid access_token"}'),
    _app(
        "dingtalk", "message", 403, '{"code":"Forbidden.AccessDenied.AccessTokenPermissionDenied","message":"no scope"}'
    ),
    _app(
        "dingtalk",
        "message",
        404,
        '{"code":"resource.not.found","message":"robot does not exist"}',
        "the robot code",
        "机器人编码",
    ),
    _app("dingtalk", "message", 200, "{}"),
    _app("feishu", "token", 200, '{"code":0,"msg":"ok","tenant_access_token":"t","expire":7200}'),
    _app("feishu", "token", 200, '{"code":10014,"msg":"app secret invalid"}'),
    _app("feishu", "message", 200, '{"code":0,"msg":"success","data":{"message_id":"om_1"}}'),
    _app(
        "feishu",
        "message",
        400,
        '{"code":230001,"msg":"Your request contains an invalid request parameter, ext=invalid receive_id."}',
    ),
    _app("feishu", "message", 400, '{"code":230013,"msg":"Bot has NO availability to this user."}'),
    _app("feishu", "message", 400, '{"code":230029,"msg":"User has resigned."}'),
    _app("feishu", "message", 400, '{"code":230053,"msg":"The user has stopped the bot from sending messages."}'),
    _app("feishu", "message", 400, '{"code":99991663,"msg":"Invalid access token for authorization."}'),
    _app("feishu", "message", 400, '{"code":230006,"msg":"Bot ability is not activated."}'),
    _app("feishu", "message", 429, '{"code":99991400,"msg":"request trigger frequency limit"}'),
    _app("feishu", "message", 400, '{"code":230020,"msg":"This operation triggers the frequency limit."}'),
    _app(
        "feishu",
        "message",
        400,
        '{"code":230001,"msg":"Your request contains an invalid request parameter, ext=invalid msg_type."}',
    ),
    *_wrong_by_http("app", "message"),
)


def _mail(to: str, says: str) -> Answer:
    return Answer("mail", "", to, f"{says}\r\n".encode(), f"`{says}`", f"`{says}`")


def _mail_wrong(to: str, says: bytes | None, en: str, zh: str, network: Network = "") -> Answer:
    return Answer("mail", "", to, says, en, zh, network)


NEVER = ("nothing, ever", "始终没有回答")
MAIL = (
    _mail_wrong("greeting", b"", "nobody listens at the port", "端口无人监听", "nobody"),
    _mail_wrong("greeting", None, *NEVER),
    _mail_wrong("greeting", b"", "it hangs up", "直接挂断"),
    _mail_wrong("greeting", b"220 mail.exa", "`220 mail.exa`: cut off", "`220 mail.exa`：中断"),
    _mail("greeting", "421 too many connections"),
    _mail("greeting", "554 no mail from your address"),
    _mail("greeting", "HTTP/1.1 400 Bad Request"),
    _mail_wrong("hello", b"250 mail.test\r\n", "no STARTTLS offered", "不提供 STARTTLS"),
    _mail("STARTTLS", "454 TLS not available"),
    _mail("STARTTLS", "502 not implemented"),
    _mail_wrong("STARTTLS", None, *NEVER),
    _mail_wrong("STARTTLS", b"220 go on\r\n", "a certificate of another name", "证书上是别的名称", "elsewhere"),
    _mail_wrong(
        "STARTTLS", b"220 go on\r\n", "a certificate of an unknown authority", "证书的颁发机构不受信任", "unknown"
    ),
    _mail_wrong("encrypted hello", b"250 mail.test\r\n", "no AUTH offered", "不提供 AUTH"),
    _mail_wrong(
        "encrypted hello",
        b"250-mail.test\r\n250 AUTH XOAUTH2\r\n",
        "only `AUTH XOAUTH2` offered",
        "只提供 `AUTH XOAUTH2`",
    ),
    _mail("AUTH", "535 authentication failed"),
    _mail("AUTH", "454 temporary authentication failure"),
    _mail("MAIL", "451 try again later"),
    _mail("MAIL", "553 sender not allowed"),
    _mail("RCPT", "450 greylisted"),
    _mail("RCPT", "550 no such user"),
    _mail("DATA", "451 local error"),
    _mail("mail", "250 queued as 4Yz1"),
    _mail("mail", "421 closing"),
    _mail("mail", "451 too busy"),
    _mail("mail", "552 too large"),
    _mail("mail", "554 rejected as spam"),
    _mail_wrong("mail", b"250 que", "`250 que`: cut off", "`250 que`：中断"),
    _mail_wrong("mail", b"", "it hangs up", "直接挂断"),
    _mail_wrong("mail", None, *NEVER),
)

WEBHOOK = (
    _said("webhook", "", "notice", 200, ""),
    _said("webhook", "", "notice", 204, ""),
    _said("webhook", "", "notice", 400, ""),
    _said("webhook", "", "notice", 401, ""),
    _said("webhook", "", "notice", 404, ""),
    _said("webhook", "", "notice", 410, ""),
    _said("webhook", "", "notice", 413, "", "too large", "过大"),
    Answer("webhook", "", "notice", b"", "a certificate of another name", "证书上是别的名称", "elsewhere"),
    *_wrong_by_http("webhook", "notice"),
)

ANSWERS = (*ROBOTS, *APPS, *MAIL, *WEBHOOK)
