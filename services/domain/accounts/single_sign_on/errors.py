"""Why nobody came in by the provider: a code, and a sentence in each language that says what to do."""

from services.runtime.errors import Refused

# By code: the HTTP status, and the sentence in Chinese and in English.
ERRORS = {
    "not-set": (
        404,
        "本系统没有设置统一认证，请用本系统的用户名和密码登录。",
        "No provider is set here: sign in with the login and password of this desk.",
    ),
    "unreachable": (
        503,
        "连接不上统一认证服务器，请稍后再试，或用本系统的密码登录。",
        "The provider cannot be reached: try again later, or sign in with the password of this desk.",
    ),
    "too-slow": (
        503,
        "统一认证服务器没有及时应答，请稍后再试，或用本系统的密码登录。",
        "The provider did not answer in time: try again later, or sign in with the password of this desk.",
    ),
    "broken": (
        503,
        "统一认证服务器的应答有误，请联系管理员，或用本系统的密码登录。",
        "The provider's answer was not as it must be: tell an administrator, or sign in with the password of this "
        "desk.",
    ),
    "client-refused": (
        503,
        "统一认证服务器不接受本系统，请联系管理员检查设置，或用本系统的密码登录。",
        "The provider does not accept this desk: have an administrator look at the settings, or sign in with the "
        "password of this desk.",
    ),
    "out-of-date": (
        403,
        "此次登录已过期或不是由此浏览器发起的，请重新登录。",
        "This sign-in is over, or began in another browser: sign in again.",
    ),
    "code-refused": (
        403,
        "统一认证服务器不承认此次登录，请重新登录。",
        "The provider does not know this sign-in any more: sign in again.",
    ),
    "cancelled": (
        403,
        "您在统一认证中取消了登录，或未获准使用本系统。",
        "You stopped at the provider, or it does not let you use this desk.",
    ),
    "told-error": (
        403,
        "统一认证服务器未能完成登录，请重新登录；仍不成功时请联系管理员。",
        "The provider could not sign you in: sign in again, and tell an administrator if it fails again.",
    ),
    "token": (
        403,
        "统一认证的凭证未通过检查，未登录，请联系管理员。",
        "What the provider said did not stand the checks and you are not signed in: tell an administrator.",
    ),
    "no-login": (
        403,
        "统一认证没有给出您的用户名，请联系管理员检查设置。",
        "The provider does not tell your login: have an administrator look at the settings.",
    ),
}


class ProviderRefused(Refused):
    """``detail`` is for the log and the doctor; it names what was wrong, and never a token or a person."""

    def __init__(self, code: str, detail: str = "") -> None:
        status, zh, en = ERRORS[code]
        super().__init__(f"provider-{code}", zh, en, status=status)
        self.detail = detail
