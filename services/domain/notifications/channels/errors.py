"""Why a notice did not arrive: a code for the book, and a sentence in each language that says what to do."""

ERRORS = {
    "unreachable": (
        "连接不上服务器，请检查它是否运行、地址和端口是否正确。",
        "The server cannot be reached: see that it runs, and that host and port are right.",
    ),
    "too-slow": (
        "服务器没有在规定时间内应答，请检查其负载和网络。",
        "The server did not answer in time: look at its load and the network.",
    ),
    "certificate": (
        "加密连接未能建立，请检查服务器证书、CA 文件和安全方式的设置。",
        "No encrypted connection came about: check the server's certificate, the CA file and the security setting.",
    ),
    "credentials": (
        "邮件服务器不接受用户名和密码，请改正设置。",
        "The mail server does not accept user and password: correct the settings.",
    ),
    "sender-refused": (
        "邮件服务器不接受发件地址，请改正设置。",
        "The mail server does not accept the sender's address: correct the setting.",
    ),
    "recipient-refused": (
        "邮件服务器不接受收件地址，请在人员资料中改正。",
        "The mail server does not accept the recipient's address: correct it in the book of people.",
    ),
    "refused": (
        "邮件服务器拒收此邮件，请向其管理员询问。",
        "The mail server does not take the mail: ask who runs it.",
    ),
    "try-later": (
        "邮件服务器暂时不接收，稍后自动重试。",
        "The mail server takes nothing now; it is tried again by itself.",
    ),
    "bad-address": (
        "邮箱地址的写法不正确，请在人员资料中改正。",
        "The mail address is not written as one: correct it in the book of people.",
    ),
    "no-address": (
        "此人没有邮箱地址，请在人员资料中补充。",
        "The person has no mail address: enter it in the book of people.",
    ),
    "inactive": (
        "此人已停用，请确认其事务由谁接手。",
        "The person is no longer active: see who takes over.",
    ),
    "address-refused": (
        "回调地址指向不允许访问的网络，请改正设置。",
        "The webhook's address leads into a network that is not called: correct the settings.",
    ),
    "redirected": (
        "回调地址要求转到别处，请直接填写最终地址。",
        "The webhook points elsewhere: set the address that answers itself.",
    ),
    "status": (
        "回调的接收方应答异常，请向其管理员询问。",
        "The webhook's receiver answered with an error: ask who runs it.",
    ),
    "broken": (
        "发送程序出错，请查看日志。",
        "The sender itself failed: look into the log.",
    ),
    "read": ("已在网页上阅读，无需发送。", "It was read in the portal before it was sent."),
}


class Undelivered(Exception):
    """A try that failed. ``code`` is one of ``ERRORS``; ``detail`` says it in the other side's words; ``for_good``
    when trying again would change nothing."""

    def __init__(self, code: str, detail: str = "", *, for_good: bool = False) -> None:
        super().__init__(f"{code}: {detail}" if detail else code)
        self.code = code
        self.detail = detail
        self.for_good = for_good


def caused_by(error: BaseException | None, kind: type[BaseException]) -> bool:
    """Whether an error of this kind is at the bottom of it: libraries wrap those of the connection in their own."""
    while error is not None:
        if isinstance(error, kind):
            return True
        error = error.__cause__ or error.__context__
    return False
